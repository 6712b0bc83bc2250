//! Whether what stands behind a provider's word, and has the form of its credentials, can be one: a commit, a name in
//! source or a piece of a URL has that form too.
//!
//! The form is the rule's business; this is about what stands around the value and what the value is made of.

use super::placeholder::{is_filler, is_pattern, is_sample};
use crate::filter;
use crate::surprise::Makeup;
use crate::template::Sort;

/// How far before a value the name of a digest is looked for.
const NAME_BYTES: usize = 28;
/// How far before a value its URL begins.
const URL_BYTES: usize = 160;
/// Fewer letters may look like words by chance.
const LETTERS_MIN: usize = 12;
/// Letters that surprise less are words.
const WORDS_SURPRISE_MAX: f32 = 3.7;
/// The same where nothing but letters is to be expected.
const LETTERS_SURPRISE_MAX: f32 = 3.2;
/// Bytes of a provider's prefix with the sign that ends it, at the most.
const PREFIX_BYTES: usize = 12;
/// Hexadecimal digits of a commit.
const COMMIT_LEN: usize = 40;
/// So many digits are hexadecimal by chance in no text of more than these.
const HEX_MIN: usize = 24;

/// Names of what is a digest, in lower case.
const DIGESTS: &str =
    "commit sha1 sha-1 sha256 sha512 md5 checksum digest git_tag integrity revision \"rev\" rev= etag";
/// Where a URL or a reference leads to a commit.
const COMMITS: &str = "commit/ commits/ blob/ tree/ raw/ blame/ compare/ pull/ ?id= &id= ?h= rev= # @ ^ ...";

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing may be missed.
    Any,
    /// It should be a credential.
    Likely,
}

/// Whether the value `start..end` of this sort, which a provider's word announces, may be a credential.
pub(crate) fn is_plausible(text: &[u8], (start, end): (usize, usize), sort: Sort, need: Need) -> bool {
    let value = &text[start..end];
    let likely = need == Need::Likely;
    let digits = || value.len() >= HEX_MIN && value.iter().all(u8::is_ascii_hexdigit);
    let mixed = value.len() >= HEX_MIN && !value.iter().all(u8::is_ascii_hexdigit);
    let counted = value.iter().all(u8::is_ascii_digit) && is_pattern(value);
    let made_up = counted || is_filler(value) || is_sample(value) || is_words(value, sort);
    let other = is_cut(text, start)
        || is_commit(text, start, value)
        || mixed && filter::encoded_file(text, start, end);
    let doubtful = likely && (is_pattern(value) || sort == Sort::Mixed && digits() || in_path(text, start));
    !(made_up || other || doubtful || is_file_name(text, end))
}

/// Whether what ends at `end` is the name of a file of a web page.
pub(crate) fn is_file_name(text: &[u8], end: usize) -> bool {
    const ENDINGS: &str = "png jpg jpeg gif svg ico webp js mjs css map html woff woff2 ttf pdf mp4";
    let Some(rest) = text.get(end..).and_then(|rest| rest.strip_prefix(b".")) else { return false };
    let length = rest.iter().take(6).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    ENDINGS.split_ascii_whitespace().any(|ending| rest[..length].eq_ignore_ascii_case(ending.as_bytes()))
}

/// Whether a token begins with a provider's prefix, a word, or a digest with its name: then the provider's rule tells whether
/// it is one.
pub(crate) fn is_prefixed(value: &[u8]) -> bool {
    let at = value.iter().take(PREFIX_BYTES).position(|byte| matches!(byte, b'_' | b'-'));
    let prefix = &value[..at.unwrap_or(0)];
    let digits = prefix.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    !prefix.is_empty() && Makeup::of(&prefix[..prefix.len() - digits]).turns == 0
}

/// Whether a letter or a digit stands before the value, so that it is a piece of something longer; the letter of an escape
/// such as `\n` does not count.
fn is_cut(text: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map(|at| text[at]);
    before(1).is_some_and(|byte| byte.is_ascii_alphanumeric())
        && before(2) != Some(b'\\')
        && !(before(3) == Some(b'%') && before(2).is_some_and(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a digest's name or a path to a commit stands before hexadecimal digits.
fn is_commit(text: &[u8], start: usize, value: &[u8]) -> bool {
    if !value.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let near = text[start.saturating_sub(NAME_BYTES)..start].to_ascii_lowercase();
    let named = || {
        DIGESTS.split_ascii_whitespace().any(|name| memchr::memmem::find(&near, name.as_bytes()).is_some())
    };
    let led = || COMMITS.split_ascii_whitespace().any(|path| near.ends_with(path.as_bytes()));
    named() || value.len() == COMMIT_LEN && led()
}

/// Whether the letters are words, as in names of source.
fn is_words(value: &[u8], sort: Sort) -> bool {
    let makeup = Makeup::of(value);
    let words = if sort == Sort::Letters { LETTERS_SURPRISE_MAX } else { WORDS_SURPRISE_MAX };
    makeup.letters() >= LETTERS_MIN && makeup.digits * 8 < value.len() && makeup.surprise() < words
}

/// Whether the value is an element of a URL's path.
fn in_path(text: &[u8], start: usize) -> bool {
    let before = &text[start.saturating_sub(URL_BYTES)..start];
    let url = before
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b'<'));
    let url = &before[url.map_or(0, |at| at + 1)..];
    before.last() == Some(&b'/') && memchr::memmem::find(url, b"://").is_some() && !url.contains(&b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters and digits that look drawn at random, made from a seed.
    fn drawn(alphabet: &[u8], length: usize) -> String {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            alphabet[(state % alphabet.len() as u64) as usize]
        };
        (0..length).map(|_| char::from(next())).collect()
    }

    #[test]
    fn letters_may_go_along_the_alphabet_but_make_no_words() {
        let plausible =
            |value: &str| is_plausible(value.as_bytes(), (0, value.len()), Sort::Letters, Need::Any);
        assert!(plausible("abcdefghijabcdefghijabcd") && !plausible("systemtimetofiletime"));
    }

    fn plausible(before: &str, value: &str, need: Need) -> bool {
        let text = format!("{before}{value}\"");
        is_plausible(text.as_bytes(), (before.len(), before.len() + value.len()), Sort::Hex, need)
    }

    #[test]
    fn what_is_drawn_is_plausible_where_values_stand() {
        let hex = drawn(b"0123456789abcdef", 40);
        let mixed = drawn(b"qwzxkvjrtbQWZXKVJRTB23456789", 32);
        for before in ["provider_key = \"", "provider: ", "provider\\n", "https://host/?provider_token="] {
            assert!(plausible(before, &hex, Need::Likely), "{before}");
            assert!(plausible(before, &mixed, Need::Likely), "{before}");
        }
    }

    #[test]
    fn commits_and_cut_pieces_are_not() {
        let hex = drawn(b"0123456789abcdef", 40);
        for before in [
            "\"sha1\": \"",
            "commit-hash = \"",
            "uses: provider/checkout@",
            "https://provider.example/a/b/commit/",
            "https://provider.example/a/blob/",
            "provider AC",
            "md5: ",
        ] {
            assert!(!plausible(before, &hex, Need::Any), "{before}");
        }
        let url = "https://provider.example/v1/things/";
        assert!(plausible(url, &hex, Need::Any) && !plausible(url, &hex, Need::Likely));
    }

    #[test]
    fn files_of_web_pages_are_told_by_their_endings() {
        assert!(is_file_name(b"icon-1a2b.png", 9) && is_file_name(b"a.JS?x", 1));
        assert!(!is_file_name(b"a. Next", 1) && !is_file_name(b"a.pngs", 1) && !is_file_name(b"a", 1));
    }

    #[test]
    fn a_prefix_ends_with_a_sign_and_is_short() {
        assert!(is_prefixed(b"abc_9f1c7b04e2d85a63") && is_prefixed(b"ab-9f1c7b04e2d85a63"));
        assert!(
            !is_prefixed(b"9f1c7b04e2d85a63qwzx")
                && !is_prefixed(b"_9f1c7b04e2d85a6")
                && !is_prefixed(b"9f1c7b04e2d85a63_x")
        );
    }

    #[test]
    fn fillers_and_words_are_not() {
        for value in [
            "00000000000000000000000000000000",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "0123456789012345678901234567890123456789",
            "PropertyBinaryUnifiedIdeographV1",
            "systemtimetofiletime",
        ] {
            assert!(!plausible("provider_key = \"", value, Need::Any), "{value}");
        }
    }
}
