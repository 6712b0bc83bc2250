//! Who this agent is: its key, its certificate, its tenant and its hub, in `identity/` of the state folder.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `agent.json` | agent id, tenant, the hub's address |
//! | `key.pem` | the private key (PKCS#8), 0600; made here, never leaves |
//! | `chain.pem` | the certificate, then what leads to the CA |
//! | `roots.pem` | the CA certificates that a hub may be signed by |
//! | `epoch` | the agent's current life, see the spool |
//!
//! The folder appears whole or not at all. Renewal and revocation are not here yet.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use certus_protocol::ids::{AgentId, Tenant};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

mod enroll;

pub use enroll::{EnrollError, enroll};

/// Who this agent is, and how it proves it.
pub struct Identity {
    /// Its tenant.
    pub tenant: Tenant,
    /// Its id.
    pub agent: AgentId,
    /// Host and port of the hub that enrolled it.
    pub hub: String,
    /// Its certificate, then what leads to the CA.
    pub chain: Vec<CertificateDer<'static>>,
    /// The CA certificates that a hub may be signed by.
    pub roots: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The agent was never enrolled: enrol it.
    #[error("this agent is not enrolled yet: run `certus-agent enroll` with a join token from the hub")]
    NotEnrolled,
    /// A file can't be read.
    #[error("identity file {path}: {cause}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

#[derive(Serialize, Deserialize)]
struct AgentFile {
    agent: AgentId,
    tenant: String,
    hub: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("tenant", &self.tenant)
            .field("agent", &self.agent)
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the identity from `identity/` under `state_dir`.
    ///
    /// # Errors
    /// [`IdentityError::NotEnrolled`] where there is none, else which file is wrong.
    pub fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        let folder = folder(state_dir);
        let agent_path = folder.join("agent.json");
        let text = match fs::read_to_string(&agent_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(IdentityError::NotEnrolled),
            other => other.map_err(|error| wrong(&agent_path, &error))?,
        };
        let file: AgentFile = serde_json::from_str(&text).map_err(|error| wrong(&agent_path, &error))?;
        let key_path = folder.join("key.pem");
        Ok(Self {
            tenant: file.tenant.parse().map_err(|error| wrong(&agent_path, &error))?,
            agent: file.agent,
            hub: file.hub,
            chain: certificates(&folder.join("chain.pem"))?,
            roots: certificates(&folder.join("roots.pem"))?,
            // The error's text names the kind of damage only, never the key.
            key: PrivateKeyDer::from_pem_file(&key_path)
                .map_err(|_| wrong(&key_path, &"can't be read as a PEM private key"))?,
        })
    }

    /// The private key, for the TLS configuration.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

/// Where the identity lies.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("identity")
}

/// What an enrolment gained, in the form in which it is kept.
struct Gained {
    agent: AgentId,
    tenant: Tenant,
    hub: String,
    key_pem: zeroize::Zeroizing<String>,
    chain: Vec<CertificateDer<'static>>,
    roots: Vec<CertificateDer<'static>>,
}

/// Writes the folder under another name, syncs it and renames it into place.
fn save(state_dir: &Path, gained: &Gained) -> io::Result<()> {
    let (folder, draft) = (folder(state_dir), state_dir.join("identity.new"));
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&draft)?;
    let file = AgentFile { agent: gained.agent, tenant: gained.tenant.to_string(), hub: gained.hub.clone() };
    write_private(&draft.join("agent.json"), &serde_json::to_vec_pretty(&file)?)?;
    write_private(&draft.join("key.pem"), gained.key_pem.as_bytes())?;
    write_private(&draft.join("chain.pem"), pem_of(&gained.chain).as_bytes())?;
    write_private(&draft.join("roots.pem"), pem_of(&gained.roots).as_bytes())?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, &folder)?;
    fs::File::open(state_dir)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn pem_of(certificates: &[CertificateDer<'_>]) -> String {
    let pem = |der: &CertificateDer<'_>| {
        let body = data_encoding::BASE64.encode(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(pem).collect()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, &error))?.collect();
    let found = found.map_err(|error| wrong(path, &error))?;
    if found.is_empty() { Err(wrong(path, &"holds no certificate")) } else { Ok(found) }
}

fn wrong(path: &Path, cause: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::File { path: path.to_owned(), cause: cause.to_string() }
}
