//! Finds and replaces secrets and personal data: pure functions over bytes.

mod clean;

pub use clean::Clean;

/// A sanitized string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
}
