//! What the end-to-end tests, `cargo demo` and `cargo ci` share.
