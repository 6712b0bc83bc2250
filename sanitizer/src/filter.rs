//! Throws out what has the form of a value but can't be meant: placeholders, code, words, well-known addresses.

use serde::Deserialize;

use crate::credential::{self, Confidence, is_pattern, is_placeholder};
use crate::pseudonym;
use crate::surprise::Makeup;
use crate::validate::is_address_form;

mod manifest;

/// Which tests a value must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// None.
    #[default]
    None,
    /// Not a placeholder such as `${NAME}` or `<password>`.
    Placeholder,
    /// No variable; in `balanced` not filled in either. For a prefix that tells enough by itself.
    Prefix,
    /// No placeholder, and neither words nor a name.
    Value,
    /// What stands in a password's place, as in a URL.
    Password,
    /// `user:password` in base64.
    Basic,
    /// Header and claims of a JWT: both decode to objects.
    Jwt,
    /// 8-4-4-4-12 letters or digits that are no example.
    Uuid,
    /// Looks random.
    Random,
    /// As if drawn at random, and no piece of a certificate or another encoded file.
    Drawn,
    /// An e-mail address of somebody.
    Email,
    /// An address of some machine.
    Ip,
    /// A hardware address that is not all zeros or ones.
    Mac,
    /// A person's name.
    Name,
    /// A user's name.
    User,
    /// In the data of a Secret of Kubernetes, and no placeholder.
    Kubernetes,
}

/// How far before a value the word stands that says that everybody may know it.
const PUBLIC_BYTES: usize = 24;
/// How far before a UUID the word stands that tells what it is.
const ACCESS_BYTES: usize = 48;

const SYSTEM_USERS: [&str; 12] = [
    "runner", "ubuntu", "root", "user", "users", "username", "shared", "public", "default", "admin",
    "circleci", "vagrant",
];

impl Filter {
    /// Whether `value`, which stands at `start` of `text`, may be meant.
    pub(crate) fn passes(self, text: &[u8], start: usize, value: &[u8], thorough: bool) -> bool {
        let needed = if thorough { Confidence::Maybe } else { Confidence::Sure };
        match self {
            Self::None => true,
            Self::Prefix if thorough => !credential::is_sample(value),
            Self::Prefix => !credential::is_filled_in(value),
            Self::Placeholder => !is_placeholder(value),
            Self::Value => credential::token(value) >= needed,
            Self::Password => credential::password(value) >= needed,
            Self::Basic => basic(value, needed),
            Self::Jwt => jwt(value),
            Self::Uuid => {
                uuid(value)
                    && (thorough
                        || !is_pattern(value)
                            && !is_identifier(text, start, start + value.len())
                            && is_access(text, start))
            }
            Self::Random => !is_placeholder(value) && random(value),
            Self::Drawn => drawn(text, start, value),
            Self::Email => email(value),
            Self::Ip => ip(value),
            Self::Mac => {
                value.iter().filter(|b| b.is_ascii_hexdigit()).any(|b| *b != b'0' && *b != b'f' && *b != b'F')
            }
            Self::Name => value.iter().any(u8::is_ascii_alphabetic) || !value.is_ascii(),
            Self::Kubernetes => !is_placeholder(value) && manifest::is_secret(text, start),
            Self::User => !SYSTEM_USERS.iter().any(|user| value.eq_ignore_ascii_case(user.as_bytes())),
        }
    }
}

/// Shannon entropy, in bits a character.
pub(crate) fn entropy(value: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let total = value.len() as f32;
    let share = |count: &u32| {
        let p = *count as f32 / total;
        -p * p.log2()
    };
    counts.iter().filter(|count| **count > 0).map(share).sum()
}

/// Whether a value looks as if drawn at random: digits among letters, many different characters, no words joined.
pub(crate) fn random(value: &[u8]) -> bool {
    let body: &[u8] = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let (mut upper, mut lower, mut digits, mut others) = (0, 0, 0, 0);
    for byte in body {
        match byte {
            b'A'..=b'Z' => upper += 1,
            b'a'..=b'z' => lower += 1,
            b'0'..=b'9' => digits += 1,
            _ => others += 1,
        }
    }
    if body.len() < 8 || digits == 0 || upper + lower == 0 || others * 5 > body.len() {
        return false;
    }
    // What joins groups of hexadecimal digits changes nothing of what they are.
    let groups = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'-' | b'.' | b'_');
    let hex = body.iter().all(groups) && (upper == 0 || lower == 0);
    let needed = match (hex, body.len()) {
        (true, _) => 2.7,
        (false, ..16) => 2.9,
        (false, 16..24) => 3.2,
        (false, _) => 3.6,
    };
    entropy(body) >= needed && (hex && body.len() >= 16 || switches(body) * 5 >= body.len())
}

/// How often neighbours are of different sorts (upper, lower, digit, other).
fn switches(value: &[u8]) -> usize {
    let sort = |b: u8| match b {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    value.windows(2).filter(|pair| sort(pair[0]) != sort(pair[1])).count()
}

fn drawn(text: &[u8], start: usize, value: &[u8]) -> bool {
    let makeup = Makeup::of(value);
    let enough = makeup.letters() >= 12 && makeup.digits >= 2 && makeup.digits * 16 >= value.len();
    let cases = makeup.upper > 0 && makeup.lower > 0 || makeup.digits * 8 >= value.len();
    let beyond_hex = value.iter().filter(|b| (b'g'..=b'z').contains(&(*b | 0x20))).count() >= 4;
    let sorts = beyond_hex && makeup.others * 8 <= value.len();
    let sorts = sorts && makeup.surprise() >= if makeup.others > 0 { 4.7 } else { 4.3 };
    let near = text[start.saturating_sub(PUBLIC_BYTES)..start].to_ascii_lowercase();
    let public = memchr::memmem::find(&near, b"public").is_some();
    let meant = !is_placeholder(value) && !is_address_form(value) && !public;
    enough && cases && sorts && meant && !encoded_file(text, start, start + value.len())
}

/// Whether lines of base64 stand before or behind.
pub(crate) fn encoded_file(text: &[u8], start: usize, end: usize) -> bool {
    let encoded = |bytes: &[u8]| {
        let encoded =
            bytes.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')).count();
        let breaks =
            bytes.iter().filter(|b| matches!(b, b'\n' | b'\r' | b' ' | b'\t' | b'"' | b'\'' | b'\\')).count();
        bytes.len() >= 40
            && encoded * 10 >= (bytes.len() - breaks.min(24)) * 10
            && Makeup::of(bytes).surprise() >= 4.0
            && breaks <= 24
    };
    let before = &text[start.saturating_sub(64)..start];
    let after = &text[end..text.len().min(end + 64)];
    encoded(before)
        || encoded(after)
        || before.ends_with(b"ssh-rsa ")
        || before.ends_with(b"ssh-ed25519 ")
        || before.ends_with(b"-----\n")
}

fn basic(value: &[u8], needed: Confidence) -> bool {
    let unpadded = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let decoded = data_encoding::BASE64_NOPAD.decode(unpadded).unwrap_or_default();
    let password = decoded.iter().position(|b| *b == b':').map(|at| &decoded[at + 1..]);
    decoded.iter().all(|b| (b' '..=b'~').contains(b))
        && password.is_some_and(|password| !password.is_empty() && credential::password(password) >= needed)
}

fn jwt(value: &[u8]) -> bool {
    let object = |part: &[u8]| {
        let decoded = data_encoding::BASE64URL_NOPAD.decode(part).unwrap_or_default();
        let text = decoded.trim_ascii();
        text.first() == Some(&b'{') && text.last() == Some(&b'}')
    };
    let mut parts = value.split(|b| *b == b'.');
    parts.next().is_some_and(object) && parts.next().is_some_and(object)
}

/// Whether a UUID names an interface, a message or an upload, and gives access to nothing.
fn is_identifier(text: &[u8], start: usize, end: usize) -> bool {
    const NAMES: [&[u8]; 5] = [b"urn:uuid:", b"_uuid(", b"clsid", b"message-id", b"attachments/"];
    let near = text[start.saturating_sub(40)..start].to_ascii_lowercase();
    let braces = near.ends_with(b"{") && text.get(end) == Some(&b'}');
    let joined =
        near.ends_with(b"_") || near.ends_with(b"<") || matches!(text.get(end), Some(b'@' | b'_' | b'!'));
    braces || joined || NAMES.iter().any(|name| memchr::memmem::find(&near, name).is_some())
}

/// Whether a word before a UUID says that it opens something or tells whose it is.
fn is_access(text: &[u8], start: usize) -> bool {
    const NAMES: &str = "client tenant token secret key auth login subscription account app passw cred guid user id_ _id \
        id\" id' id= id: \"id -id .id realm principal session resource service name";
    let near = pseudonym::words_before(text, start, ACCESS_BYTES);
    let has = |name: &str| memchr::memmem::find(&near, name.as_bytes()).is_some();
    let own = ["uuid:", "uuid::", "uuid!", "uuid =", "uuid_str", "namespace"].into_iter().any(has);
    !own && NAMES.split_ascii_whitespace().any(has)
}

fn uuid(value: &[u8]) -> bool {
    let hyphens = value.len() == 36
        && value.iter().enumerate().all(|(i, b)| (*b == b'-') == matches!(i, 8 | 13 | 18 | 23));
    let mut seen = [false; 128];
    value.iter().for_each(|b| seen[usize::from(b & 127)] = true);
    // The digits of an example repeat or stand in a row.
    let steps = value.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    hyphens && seen.iter().filter(|seen| **seen).count() >= 9 && steps <= 14 && digits >= 6
}

fn email(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let service = lower.starts_with(b"git@") || lower.starts_with(b"noreply@");
    let file = [&b".png"[..], b".jpg", b".svg", b".js", b".css", b".gif", b".webp"];
    !service && !file.iter().any(|ending| lower.ends_with(ending))
}

fn ip(value: &[u8]) -> bool {
    let Some(address) =
        std::str::from_utf8(value).ok().and_then(|text| text.parse::<std::net::IpAddr>().ok())
    else {
        return false;
    };
    let broadcast = matches!(address, std::net::IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0 || v4.octets()[0] == 255);
    // `a::b` is a path in many languages.
    let odd = address.is_ipv4() || value.len() >= 7 && value.iter().any(u8::is_ascii_digit);
    odd && !address.is_loopback() && !address.is_unspecified() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_names_and_placeholders_are_not_random() {
        for word in [
            "this_is_an_identifier_name_1",
            "deadbeefdeadbeefdeadbeefdeadbeef",
            "changeme",
            "aaaaaaaaaaaaaaaa1",
        ] {
            assert!(!random(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn a_uuid_counts_in_balanced_beside_a_word_that_says_what_it_opens() {
        // No UUID of anybody: digits that don't follow each other.
        let value = ["9f1c7b04", "e2d8", "5a63", "8c1e", "7b04e2d85a63"].join("-");
        let passes = |before: &str, thorough: bool| {
            let text = format!("{before}{value}");
            Filter::Uuid.passes(text.as_bytes(), before.len(), value.as_bytes(), thorough)
        };
        for before in ["tenantId = \"", "client_secret: ", "https://login.example.com/"] {
            assert!(passes(before, false), "{before}");
        }
        for before in ["Uuid::parse_str(\"", "urn:uuid:", "https://download.example.com/", "see "] {
            assert!(!passes(before, false) && passes(before, true), "{before}");
        }
    }

    #[test]
    fn what_is_filled_in_counts_behind_a_telling_prefix_where_nothing_may_be_missed() {
        let filled = format!("AKIA{}", "Z".repeat(16));
        let passes =
            |value: &str, thorough| Filter::Prefix.passes(value.as_bytes(), 0, value.as_bytes(), thorough);
        assert!(passes(&filled, true) && !passes(&filled, false));
        let sample = format!("AKIA{}EXAMPLE", "QZ".repeat(4));
        assert!(!passes(&sample, true) && !passes(&sample, false));
    }

    #[test]
    fn entropy_is_zero_for_one_character_and_full_for_all_different() {
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert!((entropy(b"abcdefgh") - 3.0).abs() < 1e-5);
    }
}
