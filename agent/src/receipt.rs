//! The hub's receipts at the agent: whether they are signed, and with which keys they may be.
//!
//! `identity/receipt-keys.pem` holds the hub's keys, one behind the other, oldest first. A key is taken from the hub's answer to
//! the enrolment or from an authenticated session, and its coming stands in the ledger; never from a file that somebody
//! carries here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use certus_protocol::ids::ReceiptKey;
use certus_protocol::receipt::{Receipt, key_of_der, key_to_pem};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::identity;

/// The keys that the hub may sign receipts with.
#[derive(Debug)]
pub struct ReceiptKeys {
    path: PathBuf,
    keys: Vec<ReceiptKey>,
}

/// Whether the receipt's signature is by its key; whether that key is the hub's is another question.
pub fn is_signed(receipt: &Receipt) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, receipt.key.0);
    key.verify(receipt.statement.signed_text().as_bytes(), &receipt.signature.0).is_ok()
}

/// The keys in a PEM file.
///
/// # Errors
/// It can't be read, or holds something else.
pub fn keys_in(path: &Path) -> io::Result<Vec<ReceiptKey>> {
    let text = fs::read(path)?;
    let wrong =
        || io::Error::new(io::ErrorKind::InvalidData, "holds something else than Ed25519 public keys in PEM");
    let keys: Option<Vec<ReceiptKey>> = SubjectPublicKeyInfoDer::pem_slice_iter(&text)
        .map(|der| der.ok().and_then(|der| key_of_der(&der)))
        .collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(wrong)
}

/// Receipts in a file as the hub writes it, one as JSON a line.
///
/// # Errors
/// It can't be read, or a line is none.
pub fn receipts_in(path: &Path) -> io::Result<Vec<Receipt>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}

impl ReceiptKeys {
    /// Reads those kept under `state_dir`; none where none came yet.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn load(state_dir: &Path) -> io::Result<Self> {
        let path = identity::folder(state_dir).join("receipt-keys.pem");
        let keys = match keys_in(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        Ok(Self { path, keys })
    }

    /// All of them.
    pub fn all(&self) -> BTreeSet<ReceiptKey> {
        self.keys.iter().copied().collect()
    }

    /// Keeps a key that an authenticated hub showed; says whether it is new.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep(&mut self, key: ReceiptKey) -> io::Result<bool> {
        if self.keys.contains(&key) {
            return Ok(false);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        for key in self.keys.iter().chain([&key]) {
            file.write_all(key_to_pem(*key).as_bytes())?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()?;
        self.keys.push(key);
        Ok(true)
    }
}
