//! What holds for whatever is put in: values that are found go, nothing else does, going over it again changes nothing, and
//! where a value lies among the bytes around it makes no difference.
//!
//! `cargo test` runs a bounded count. `PROPTEST_CASES` and `BOLERO_RANDOM_ITERATIONS` let it search on.

#[path = "proof/company.rs"]
mod company;
#[path = "proof/edges.rs"]
mod edges;
#[path = "proof/hostile.rs"]
mod hostile;
#[path = "made/numbers.rs"]
mod numbers;
#[path = "proof/output.rs"]
mod output;
#[path = "proof/sources.rs"]
mod sources;
#[path = "proof/spelt.rs"]
mod spelt;
#[path = "made/token.rs"]
mod token;
#[path = "proof/valid.rs"]
mod valid;

use std::sync::OnceLock;

use certus_sanitizer::{Format, Learnt, Policy, PseudonymKey, Redaction, Sanitizer};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// So many cases, the same each time; as many others as `PROPTEST_CASES` says where it is set.
fn cases(cases: u32) -> ProptestConfig {
    let chance = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var("PROPTEST_CASES") {
        Ok(_) => chance,
        Err(_) => ProptestConfig { cases, rng_seed: RngSeed::Fixed(41), ..chance },
    }
}

/// Of the default profile.
fn sanitizer() -> &'static Sanitizer {
    static SANITIZER: OnceLock<Sanitizer> = OnceLock::new();
    SANITIZER.get_or_init(|| {
        Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([9; 32])).expect("the tables are right")
    })
}

fn clean(bytes: &[u8], format: Format) -> (Vec<u8>, Vec<Redaction>) {
    let document = sanitizer().document(bytes, format, &Learnt::default()).expect("it settles").into_inner();
    (document.bytes, document.redactions)
}

/// Whether `text` holds `value`.
fn holds(text: &[u8], value: &[u8]) -> bool {
    text.windows(value.len()).any(|there| there == value)
}
