//! Finds and replaces secrets and personal data.
