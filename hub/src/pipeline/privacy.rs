//! The second scan: what an agent let through is looked at once more before anybody can find it.
//!
//! It uses the envelope's own profile, exempts exactly what the envelope declares as kept and the types that it declares
//! as turned off, and never tells a value.

use std::collections::BTreeMap;

use certus_protocol::envelope::ResourceV1;
use certus_sanitizer::{Finding, Format, Profile, SanitizeError, Sanitizer};

use crate::quarantine::Hit;

/// What stands in a resource that should have been taken out, counted by rule.
pub(super) fn hits(
    scanners: &BTreeMap<&'static str, Sanitizer>,
    resource: &ResourceV1,
    content: &[u8],
) -> Result<Vec<Hit>, SanitizeError> {
    // A profile that this hub does not know is scanned by the strictest.
    let (profile, off) = certus_sanitizer::read_label(&resource.profile);
    let scanner = scanners
        .get(profile)
        .or_else(|| scanners.get(Profile::HighRecall.as_str()))
        .ok_or_else(|| SanitizeError::Rule("none".to_owned()))?;
    let format = match resource.media_type.as_str() {
        "application/sarif+json" => Format::Sarif,
        "application/json" => Format::Json,
        "text/csv" => Format::Csv,
        _ => Format::Text,
    };
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    let kept = |finding: &Finding| {
        let covers = |k: &certus_protocol::envelope::KeptV1| {
            k.rule == finding.rule && k.start <= finding.start as u64 && finding.end as u64 <= k.end
        };
        resource.kept.iter().any(covers)
    };
    let off = |finding: &Finding| off.contains(&finding.type_name.as_str());
    let told = |finding: &Finding| !kept(finding) && !off(finding);
    for finding in scanner.scan(content, format)?.into_iter().filter(told) {
        *counts.entry((finding.rule, finding.type_name)).or_default() += 1;
    }
    let texts = resource.attributes.iter().map(|(_, value)| value).chain([&resource.path]);
    for text in texts {
        for finding in scanner.scan(text.as_bytes(), Format::Text)?.into_iter().filter(|found| !off(found)) {
            *counts.entry((finding.rule, finding.type_name)).or_default() += 1;
        }
    }
    Ok(counts.into_iter().map(|((rule, type_name), count)| Hit { rule, type_name, count }).collect())
}
