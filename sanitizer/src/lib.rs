//! Finds secrets and personal data and replaces them: pure functions over bytes.
//!
//! [`Sanitizer`] is made once from a [`Policy`] and the tenant's [`PseudonymKey`]; what it has looked at comes back as
//! [`Clean`], which nothing else can make. This crate does no I/O, reads no clock and never logs.

#[cfg(test)]
extern crate self as certus_sanitizer;

mod action;
mod clean;
mod credential;
pub mod decode;
mod document;
mod envelope;
mod explain;
mod filter;
mod json;
mod learn;
mod policy;
mod pseudonym;
pub mod rules;
mod scan;
mod simd;
mod surprise;
pub mod template;
pub mod validate;
mod work;

pub use action::Action;
pub use clean::Clean;
pub use document::{Document, Finding, Format, Kept, Place, Redaction, SanitizeError, Sanitizer, Text};
pub use envelope::{CleanResource, RawResource};
pub use explain::{Score, Why, check_name};
pub use learn::{Learn, Learnt, UnknownLearn};
pub use policy::{Policy, PolicyError, Profile, Terms, UnknownProfile, Verdict, read_label};
pub use pseudonym::PseudonymKey;
pub use rules::{Kind, RulesError};
