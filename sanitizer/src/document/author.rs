//! `Name <address>`, as git and mail write who somebody is.

use super::{Clean, Kind, Redaction, SanitizeError, Sanitizer, Text};

impl Sanitizer {
    /// `Name <address>`: both are somebody's, whatever they look like.
    pub(super) fn author(&self, text: &str) -> Result<Clean<Text>, SanitizeError> {
        let (name, address) = text
            .split_once('<')
            .map_or((text, None), |(name, rest)| (name, Some(rest.trim_end().trim_end_matches('>'))));
        let mut made = String::new();
        let mut redactions = Vec::new();
        let mut replace = |value: &str, type_name: &str, made: &mut String| {
            let start = text.find(value).unwrap_or(0);
            let known = crate::pseudonym::tokens(value.as_bytes());
            let whole =
                known.len() == 1 && (known[0] == (0, value.len()) || value[known[0].1..].starts_with('@'));
            if value.is_empty() || whole {
                made.push_str(value);
                return;
            }
            let action = self.policy.terms.action("author", type_name);
            let replacement = action.replacement(&self.key, type_name, value.as_bytes());
            let replacement = replacement.unwrap_or_else(|| self.key.token(type_name, value.as_bytes()));
            made.push_str(&replacement);
            redactions.push(Redaction {
                start,
                end: start + value.len(),
                rule: "author".to_owned(),
                kind: Kind::Pii,
                type_name: type_name.to_owned(),
                replacement,
            });
        };
        replace(name.trim(), "NAME", &mut made);
        if let Some(address) = address {
            made.push_str(if made.is_empty() { "<" } else { " <" });
            replace(address.trim(), "EMAIL", &mut made);
            made.push('>');
        }
        Ok(Clean::new(Text { text: made, redactions }))
    }
}
