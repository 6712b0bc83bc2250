//! Whether a value stands in the data of a Secret of Kubernetes, in YAML or JSON: all that stands there is one, whatever its key.

use crate::work;

/// How far around a value the manifest that it belongs to is read.
const REACH_BYTES: usize = 8192;
/// Keys that hold a Secret's values.
const KEYS: [&[u8]; 2] = [b"data", b"stringdata"];
/// White space between a key, its colon and its value, at the most.
const GAP_BYTES: usize = 16;

/// Whether the value at `start` does.
pub(super) fn is_secret(text: &[u8], start: usize) -> bool {
    let from = start.saturating_sub(REACH_BYTES);
    let to = text.len().min(start + REACH_BYTES);
    work::count(to - from);
    let (before, behind) = (&text[from..start], &text[start..to]);
    in_yaml(before, behind) || in_json(before, behind)
}

/// In YAML: the nearest line above that is indented less is the key of the data, and the document is a Secret.
fn in_yaml(before: &[u8], behind: &[u8]) -> bool {
    let document = memchr::memmem::rfind(before, b"\n---").map_or(0, |at| at + 1);
    let end = memchr::memmem::find(behind, b"\n---").unwrap_or(behind.len());
    let indent = |line: &[u8]| line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'-')).count();
    let mut above = before[document..].rsplit(|byte| *byte == b'\n');
    let Some(own) = above.next() else { return false };
    // The value of a block begins a line below its key.
    let mut depth = indent(own);
    for line in above.filter(|line| !line.trim_ascii().is_empty()) {
        if indent(line) >= depth {
            continue;
        }
        let Some((key, rest)) = split_key(line) else { return false };
        if KEYS.iter().any(|name| key.eq_ignore_ascii_case(name)) && rest.is_empty() {
            let lines = before[document..].split(|byte| *byte == b'\n');
            return lines.chain(behind[..end].split(|byte| *byte == b'\n')).any(is_kind);
        }
        if !rest.first().is_some_and(|byte| matches!(byte, b'|' | b'>')) {
            return false;
        }
        depth = indent(line);
    }
    false
}

/// Whether a line of YAML says that the document is a Secret.
fn is_kind(line: &[u8]) -> bool {
    split_key(line).is_some_and(|(key, value)| key == b"kind" && value.eq_ignore_ascii_case(b"secret"))
}

/// Key and value of a line of YAML, without quotes and what a comment says.
fn split_key(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = &line[..memchr::memmem::find(line, b" #").unwrap_or(line.len())];
    let at = memchr::memchr(b':', line)?;
    Some((bare(&line[..at]), bare(&line[at + 1..])))
}

fn bare(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii();
    while let [first, rest @ ..] = text
        && matches!(first, b'-' | b' ' | b'"' | b'\'')
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && matches!(last, b' ' | b'"' | b'\'' | b'\r')
    {
        text = rest;
    }
    text
}

/// In JSON: the object around the value is the data's, and the object around that is a Secret.
fn in_json(before: &[u8], behind: &[u8]) -> bool {
    let Some(open) = opening(before) else { return false };
    let key = before[..open].trim_ascii_end();
    let Some(key) = key.strip_suffix(b":").map(<[u8]>::trim_ascii_end) else { return false };
    let named = |name: &&[u8]| {
        let from = key.len().saturating_sub(name.len() + 2);
        key[from..]
            .strip_prefix(b"\"")
            .and_then(|key| key.strip_suffix(b"\""))
            .is_some_and(|key| key.eq_ignore_ascii_case(name))
    };
    if !KEYS.iter().any(named) {
        return false;
    }
    let Some(outer) = opening(&before[..open]) else { return false };
    let around = before[outer..].iter().chain(behind).copied();
    let mut depth = 0usize;
    let object: Vec<u8> = around
        .take_while(|byte| {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth > 0
        })
        .collect();
    memchr::memmem::find_iter(&object, b"\"kind\"").any(|at| {
        let rest = &object[at + b"\"kind\"".len()..];
        let gap = rest.iter().take(GAP_BYTES).take_while(|b| **b == b':' || b.is_ascii_whitespace()).count();
        rest[gap..].get(..8).is_some_and(|value| value.eq_ignore_ascii_case(b"\"secret\""))
    })
}

/// Where the object opens that the end of the text lies in.
fn opening(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    text.iter().rposition(|byte| {
        match byte {
            b'}' => depth += 1,
            b'{' if depth == 0 => return true,
            b'{' => depth -= 1,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str) -> bool {
        let start = text.find('@').expect("a mark stands where the value does");
        is_secret(text.as_bytes(), start)
    }

    #[test]
    fn values_of_a_secret_are_told_from_its_other_lines() {
        for text in [
            "kind: Secret\ndata:\n  a: @",
            "kind: Secret # x\ndata: # y\n  a: @",
            "a: b\n---\ndata:\n    x: y\n    a: @\nkind: 'Secret'\n---\n",
            "items:\n- kind: Secret\n  stringData:\n    a: |\n      @\n",
            "{\"kind\":\"Secret\",\"data\":{\"a\":\"@\"}}",
            "[{\"stringData\": {\"x\": \"y\", \"a\": \"@\"}, \"kind\": \"Secret\"}]",
        ] {
            assert!(is(text), "{text}");
        }
    }

    #[test]
    fn values_of_anything_else_are_not() {
        for text in [
            "kind: Secret\nmetadata:\n  a: @",
            "kind: ConfigMap\ndata:\n  a: @",
            "kind: Secret\n---\ndata:\n  a: @",
            "kind: Secret\nspec:\n  data:\n    a: b\n  c: @",
            "{\"kind\":\"Secret\",\"metadata\":{\"a\":\"@\"}}",
            "{\"items\":[{\"kind\":\"Secret\"},{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"@\"}}]}",
            "@",
        ] {
            assert!(!is(text), "{text}");
        }
    }
}
