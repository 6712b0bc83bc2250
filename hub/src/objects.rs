//! Where bytes are kept: a folder or, later, S3. Objects are small (a frame at the most), named by a
//! key of `/`-separated components, and changed only under a condition where two might race.
//!
//! Whatever `put` has answered is durable. This is no file system: there are no folders to make, no
//! partial writes, no appends.

use async_trait::async_trait;
use bytes::Bytes;

pub mod folder;
pub mod memory;

/// The seam to the object store.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// The object's bytes and its present tag; `None` where there is none.
    async fn get(&self, key: &Key) -> Result<Option<Object>, ObjectsError>;

    /// Writes the whole object if `condition` holds; durable when it answers [`Put::Written`].
    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Put, ObjectsError>;

    /// Deletes the object and its old versions; durable; no error where there is none.
    async fn delete(&self, key: &Key) -> Result<(), ObjectsError>;

    /// Keys that begin with `prefix` and come after `after`, in byte order, `limit` at the most.
    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, ObjectsError>;
}

/// An object's name: `/`-separated components of `a-z A-Z 0-9 . _ -`, none of them empty, `.` or `..`.
/// No key is the folder of another: where `a` is an object, `a/b` is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key with this text.
    ///
    /// # Errors
    /// [`ObjectsError::Key`] where the text breaks the rule above or is longer than 512 bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, ObjectsError> {
        let text = text.into();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let component = |c: &str| !c.is_empty() && c != "." && c != ".." && c.bytes().all(plain);
        if text.len() <= 512 && text.split('/').all(component) {
            Ok(Self(text))
        } else {
            Err(ObjectsError::Key(text.chars().take(128).collect()))
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one version of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

/// An object as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// All of its bytes.
    pub bytes: Bytes,
    /// Names this version of them.
    pub tag: Tag,
}

/// When a put may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always; the last writer wins.
    Always,
    /// Only where no object is.
    Absent,
    /// Only over this version.
    Match(Tag),
}

impl Condition {
    /// Whether it holds over what is there.
    pub(crate) fn holds(&self, there: Option<&Tag>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => there.is_none(),
            Self::Match(tag) => there == Some(tag),
        }
    }
}

/// The tag of an object with these bytes: their hash, so that it needs no keeping.
pub(crate) fn tag_of(bytes: &[u8]) -> Tag {
    Tag(blake3::hash(bytes).to_hex().to_string())
}

/// What a put did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// Written and durable.
    Written(Tag),
    /// The condition did not hold; nothing was written.
    Refused,
}

/// Why the store could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// A key breaks the naming rule: a defect or hostile input; drop what led to it.
    #[error("object key {0:?} is not valid")]
    Key(String),
    /// The store does not answer or can't write now: retry.
    #[error("object store: {0}")]
    Io(#[from] std::io::Error),
}
