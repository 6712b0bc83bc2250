//! Texts in which a rule must find something, as formats: what its form gives, and its own examples.

use certus_sanitizer::rules::RawRule;
use certus_sanitizer::validate::Check;

pub(crate) fn examples(rule: &RawRule) -> Vec<String> {
    let body = rule.body.as_deref().unwrap_or_default();
    // What a body gives has no checksum: such rules bring their own examples.
    let made = rule.check == Check::None;
    let tokens = rule.prefix.iter().map(|prefix| format!("'key ' '{prefix}' {body} ' end'"));
    let keyed = rule.words.iter().map(|word| format!("'{word}_key = \"' {body} '\"'"));
    tokens.chain(keyed).filter(|_| made).chain(rule.examples.iter().cloned()).collect()
}
