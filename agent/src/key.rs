//! The tenant's pseudonym key: a file of the state folder, 0600, or one given by the service manager.
//!
//! Agents of one tenant should share it, so that the same value has the same pseudonym everywhere: `key export` on
//! one, `key import` on the others.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use certus_sanitizer::PseudonymKey;
use zeroize::Zeroizing;

const PREFIX: &str = "certus-key-1.";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the pseudonym key {path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        cause: io::Error,
    },
    /// It is no key; its text is not shown.
    #[error("{0} holds no pseudonym key; it must be one line as `certus-agent key export` prints it")]
    Malformed(String),
    /// There is one already.
    #[error(
        "{0} exists: another key would rename every pseudonym; move it away first if that is what you want"
    )]
    Exists(PathBuf),
}

/// Where the key lies: in the service manager's credentials if it is there, else in the state folder.
pub fn path(state_dir: &Path) -> PathBuf {
    let given = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join("pseudonym.key"));
    given.filter(|path| path.exists()).unwrap_or_else(|| state_dir.join("pseudonym.key"))
}

/// Reads the key; makes one where there is none, and says so in the log.
///
/// # Errors
/// See [`KeyError`].
pub fn load_or_make(state_dir: &Path) -> Result<PseudonymKey, KeyError> {
    if let Some(key) = load(state_dir)? {
        return Ok(key);
    }
    let key = make(state_dir)?;
    tracing::warn!(key.id = %key.id(), "a new pseudonym key was made; share it with the tenant's other agents");
    Ok(key)
}

/// Reads the key; `None` where there is none.
///
/// # Errors
/// See [`KeyError`].
pub fn load(state_dir: &Path) -> Result<Option<PseudonymKey>, KeyError> {
    let path = path(state_dir);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => parse(&text, &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(KeyError::Io { path, cause }),
    }
}

/// Makes a key where there is none.
///
/// # Errors
/// See [`KeyError`].
pub fn make(state_dir: &Path) -> Result<PseudonymKey, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    // The kernel's own generator: libraries that stir in the processor's jitter take longer than a whole scan may.
    let made = rustix::rand::getrandom(bytes.as_mut_slice(), rustix::rand::GetRandomFlags::empty());
    if made != Ok(bytes.len()) {
        let cause = io::Error::other("the system gives no random numbers");
        return Err(KeyError::Io { path: path(state_dir), cause });
    }
    let key = PseudonymKey::from_bytes(*bytes);
    keep(state_dir, &key)?;
    Ok(key)
}

/// Keeps a key, where there is none yet.
///
/// # Errors
/// See [`KeyError`].
pub fn keep(state_dir: &Path, key: &PseudonymKey) -> Result<(), KeyError> {
    let path = state_dir.join("pseudonym.key");
    let text = Zeroizing::new(format!("{}\n", *export(key)));
    let draft = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .tempfile_in(state_dir);
    let written = draft.and_then(|mut draft| {
        draft.write_all(text.as_bytes())?;
        draft.as_file().sync_all()?;
        draft.persist_noclobber(&path).map_err(|error| error.error)?;
        fs::File::open(state_dir)?.sync_all()
    });
    written.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path),
        _ => KeyError::Io { path, cause },
    })
}

/// The key as one line, for another agent of the tenant.
pub fn export(key: &PseudonymKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(key.as_bytes())))
}

/// Reads such a line, which came from `origin`.
///
/// # Errors
/// [`KeyError::Malformed`].
pub fn parse(text: &str, origin: &str) -> Result<PseudonymKey, KeyError> {
    let body = text.trim().strip_prefix(PREFIX);
    let bytes = body.and_then(|body| data_encoding::BASE64URL_NOPAD.decode(body.as_bytes()).ok());
    let bytes = Zeroizing::new(bytes.unwrap_or_default());
    let bytes: Result<[u8; 32], _> = bytes.as_slice().try_into();
    bytes.map(PseudonymKey::from_bytes).map_err(|_| KeyError::Malformed(origin.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_once_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none());
        let key = make(dir.path()).unwrap();
        assert_eq!(load(dir.path()).unwrap().unwrap().id(), key.id());
        assert_eq!(parse(&export(&key), "here").unwrap().id(), key.id());
        assert!(matches!(make(dir.path()), Err(KeyError::Exists(_))));
        let error = parse("certus-key-1.short", "the input").unwrap_err().to_string();
        assert!(error.contains("the input") && !error.contains("short"));
    }
}
