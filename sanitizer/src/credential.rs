//! Whether what is assigned to a name is a credential: the name says what it should be, the value whether it can be one.

use crate::pseudonym;
use crate::rules::Finder;
use crate::scan::{Assigned, Manner};
use crate::surprise::Makeup;

/// Parts of names for passwords, of at least three letters.
pub(crate) const PASSWORD_STEMS: [&str; 6] = ["pass", "pwd", "psw", "pw =", "pw=", "pw:"];
/// Parts of names for other secrets that are looked for everywhere.
pub(crate) const SECRET_STEMS: [&str; 11] = [
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authkey",
    "auth_key",
    "private_key",
    "privatekey",
    "access_key",
    "accesskey",
];
/// Parts of names that often mean something else: looked for only before what may be a value.
pub(crate) const WEAK_STEMS: [&str; 8] =
    ["key", "auth", "cred", "salt", "nonce", "signature", "cookie", "sig="];

/// A value that is redacted has so many bytes.
const VALUE_MIN: usize = 4;

/// How sure it is that a value is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confidence {
    /// It is none.
    No,
    /// It may be one: enough where nothing may be missed.
    Maybe,
    /// It is hardly anything else.
    Sure,
}

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Password,
    Secret,
    /// Often something else: `key`, `auth`, `nonce`.
    Weak,
    /// Something about a credential: its file, its name, its length.
    About,
}

/// Words at a name's end that say that the value is something about the credential.
const ABOUT: [&str; 74] = [
    "file",
    "path",
    "dir",
    "url",
    "uri",
    "name",
    "names",
    "type",
    "types",
    "length",
    "len",
    "size",
    "count",
    "min",
    "max",
    "policy",
    "field",
    "label",
    "placeholder",
    "prefix",
    "suffix",
    "regex",
    "pattern",
    "format",
    "algorithm",
    "alg",
    "expire",
    "expires",
    "expiry",
    "expiration",
    "ttl",
    "timeout",
    "date",
    "time",
    "version",
    "hint",
    "prompt",
    "message",
    "msg",
    "error",
    "title",
    "header",
    "index",
    "class",
    "required",
    "enabled",
    "disabled",
    "valid",
    "invalid",
    "reset",
    "usage",
    "endpoint",
    "host",
    "port",
    "scheme",
    "method",
    "mode",
    "provider",
    "template",
    "env",
    "var",
    "ref",
    "kind",
    "state",
    "status",
    "option",
    "options",
    "location",
    "folder",
    "bytes",
    "bits",
    "for",
    "at",
    "help",
];

const PASSWORDS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "passcode",
    "psw",
    "pw",
    "passwort",
    "kennwort",
    "passw",
    "passwords",
    "userpass",
];
const SECRETS: [&str; 12] = [
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "apikey",
    "apitoken",
    "accesskey",
    "secretkey",
    "authtoken",
    "signature",
];
/// Words that make a `key` a secret one.
const KEY_SORTS: [&str; 24] = [
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "encryption",
    "signing",
    "license",
    "session",
    "master",
    "webhook",
    "account",
    "storage",
    "service",
    "app",
    "application",
    "consumer",
    "client",
    "admin",
    "shared",
    "crypt",
    "hmac",
    "tsig",
    "subscription",
];

/// How sure it is that the value assigned there is a credential.
pub(crate) fn judge(sort: Finder, text: &[u8], found: &Assigned) -> Confidence {
    let name = &text[found.name..found.name_end];
    let value = &text[found.start..found.end];
    let promise = promise(sort, name);
    if value.len() < VALUE_MIN
        || pseudonym::within_token(text, found.name)
        || is_placeholder(value)
        || is_code(text, value, found)
    {
        return Confidence::No;
    }
    let makeup = Makeup::of(value);
    let strength = strength(value, &makeup);
    match (promise, found.manner) {
        (Promise::About, _) => {
            if strength >= Strength::Drawn && value.len() >= 20 {
                Confidence::Maybe
            } else {
                Confidence::No
            }
        }
        (Promise::Password, Manner::Quoted | Manner::Listed | Manner::Tagged | Manner::Bare) => {
            match strength {
                Strength::Drawn | Strength::Mixed => Confidence::Sure,
                Strength::Odd => Confidence::Maybe,
                Strength::Word => Confidence::No,
            }
        }
        (Promise::Password, Manner::Argument) if name[0] != b'-' && strength < Strength::Drawn => {
            Confidence::No
        }
        (Promise::Password, Manner::Loose | Manner::Argument) => match strength {
            Strength::Drawn | Strength::Mixed => Confidence::Sure,
            Strength::Odd | Strength::Word => Confidence::No,
        },
        (Promise::Secret, _) => match strength {
            Strength::Drawn if value.len() >= 6 => Confidence::Sure,
            Strength::Odd if makeup.letters() == 0 && value.len() >= 12 => Confidence::Maybe,
            Strength::Odd if makeup.digits == 0 && found.manner == Manner::Quoted && value.len() >= 6 => {
                Confidence::Maybe
            }
            Strength::Mixed if value.len() >= 8 => {
                if found.manner == Manner::Quoted {
                    Confidence::Sure
                } else {
                    Confidence::Maybe
                }
            }
            _ => Confidence::No,
        },
        (Promise::Weak, _) => match strength {
            Strength::Drawn if value.len() >= 16 => Confidence::Sure,
            Strength::Drawn if value.len() >= 8 => Confidence::Maybe,
            _ => Confidence::No,
        },
    }
}

fn promise(sort: Finder, name: &[u8]) -> Promise {
    let words = words(name);
    let Some(last) = words.last() else { return Promise::About };
    let is = |list: &[&str], word: &str| list.contains(&word);
    if is(&ABOUT, last) || last == "id" && sort == Finder::Secret {
        return Promise::About;
    }
    if words.iter().any(|word| is(&PASSWORDS, word)) {
        return Promise::Password;
    }
    let glued = words
        .iter()
        .any(|word| word.ends_with("password") || word.ends_with("passwd") || word.ends_with("pwd"));
    if glued {
        return Promise::Password;
    }
    if words.iter().any(|word| {
        is(&SECRETS, word) || word.ends_with("secret") || word.ends_with("token") || word.ends_with("apikey")
    }) {
        return Promise::Secret;
    }
    let keyed = words.iter().any(|word| word == "key" || word == "keys")
        && words.iter().any(|word| is(&KEY_SORTS, word));
    let keyed =
        keyed || words.iter().any(|word| word.strip_suffix("key").is_some_and(|sort| is(&KEY_SORTS, sort)));
    if keyed { Promise::Secret } else { Promise::Weak }
}

/// The words of a name, in lower case: apart by what is no letter, and by capitals.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = b' ';
    for (at, byte) in name.iter().enumerate() {
        let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_uppercase() && next_lower);
        if (begins || !byte.is_ascii_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if byte.is_ascii_alphabetic() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = *byte;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The same character stands so often in a row in no value that was drawn at random.
const SAME_MAX: usize = 8;
/// Names of constants are shorter than this.
const CONSTANT_MAX: usize = 32;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// Words, a name, a number.
    Word,
    /// Words with something odd.
    Odd,
    /// As people make passwords: letters, digits, signs.
    Mixed,
    /// As if drawn at random.
    Drawn,
}

/// How sure it is that a text which stands in a password's place is one.
pub(crate) fn password(value: &[u8]) -> Confidence {
    match strength(value, &Makeup::of(value)) {
        _ if is_placeholder(value) => Confidence::No,
        Strength::Drawn | Strength::Mixed => Confidence::Sure,
        Strength::Odd | Strength::Word => Confidence::Maybe,
    }
}

fn strength(value: &[u8], makeup: &Makeup) -> Strength {
    let surprise = makeup.surprise();
    if value.contains(&b'"') {
        // A text of its own: what counts is the longest piece of it.
        let longest =
            value.split(|b| !b.is_ascii_alphanumeric()).max_by_key(|piece| piece.len()).unwrap_or_default();
        let piece = Makeup::of(longest);
        return if longest.len() >= 12 && !longest.is_empty() {
            strength(longest, &piece)
        } else {
            Strength::Word
        };
    }
    let (letters, digits) = (makeup.letters(), makeup.digits);
    if letters == 0 {
        return if digits >= 6 && makeup.others == 0 && value.len() >= 6 {
            Strength::Odd
        } else {
            Strength::Word
        };
    }
    if value.contains(&b'_') && makeup.lower == 0 && digits * 4 < value.len() && value.len() < CONSTANT_MAX {
        return Strength::Word;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit) && (makeup.upper == 0 || makeup.lower == 0);
    if hex && digits > 0 && value.len() >= 8 {
        return Strength::Drawn;
    }
    let signs = value
        .iter()
        .filter(|b| b.is_ascii_punctuation() && !matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
        .count();
    if signs >= 5 && crooked(value) || signs * 2 >= value.len() && signs >= 4 && value.len() >= 8 {
        return Strength::Drawn;
    }
    if value.iter().any(|b| matches!(b, b' ')) {
        return if surprise >= 5.0 { Strength::Odd } else { Strength::Word };
    }
    let needed = match letters {
        ..=3 => 5.4,
        4..=5 => 5.0,
        6..=9 => 4.7,
        _ => 4.5,
    };
    if letters >= 4 && surprise >= needed {
        return Strength::Drawn;
    }
    if letters >= 4 && digits >= 8 && makeup.turns >= 5 && letters + digits >= 16 {
        return Strength::Drawn;
    }
    if letters >= 4
        && digits >= 4
        && makeup.turns >= 5
        && makeup.turns * 6 >= letters + digits
        && surprise >= 3.6
    {
        return Strength::Drawn;
    }
    if digits > 0 && letters > 0 && (surprise >= 4.0 || signs > 0 || makeup.turns >= 3) {
        return Strength::Mixed;
    }
    if signs > 0 && surprise >= 3.4 || digits > 0 || surprise >= 4.2 && letters >= 4 {
        return Strength::Odd;
    }
    Strength::Word
}

/// Words that stand where a secret would, in lower case.
const PLACEHOLDERS: [&str; 50] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "changeme",
    "change_me",
    "change-me",
    "example",
    "placeholder",
    "redacted",
    "required",
    "optional",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "undefined",
    "string",
    "default",
    "disabled",
    "enabled",
    "unknown",
    "xxxx",
    "****",
    "....",
    "todo",
    "dummy",
    "sample",
    "token",
    "basic",
    "bearer",
    "self",
    "foo",
    "bar",
    "foobar",
    "test",
    "testing",
    "mysecret",
    "mypassword",
    "insert",
    "replace",
    "value",
    "key",
    "hidden",
    "asdf",
    "qwerty",
    "pass",
    "pw",
    "pwd",
];

/// Whether a value stands for one that is to be filled in.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let variables = interpolated(value) && value.len() < 64;
    let open = [&b"<"[..], b"%(", b"#{", b"%{", b"[[", b"{%", b"@{", b"%s", b"%v", b"__", b"$$", b"&lt;"];
    let known = PLACEHOLDERS.iter().any(|word| lower == word.as_bytes());
    let told = [
        &b"your"[..],
        b"my_",
        b"my-",
        b"<your",
        b"insert",
        b"enter",
        b"replace",
        b"changeme",
        b"example",
        b"xxx",
        b"***",
        b"...",
    ];
    let within = [
        &b"example"[..],
        b"placeholder",
        b"changeme",
        b"redacted",
        b"xxxx",
        b"dummy",
        b"****",
        b"....",
        b"abcdef",
        b"12345678",
        b"foobar",
    ];
    let variable =
        value.first() == Some(&b'$') && value[1..].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let same = value.iter().all(|b| *b == value[0]);
    let names = value.first() == Some(&b'%') && value.last() == Some(&b'%');
    variables
        || open.iter().any(|mark| value.starts_with(mark))
        || known
        || variable
        || same
        || names
        || told.iter().any(|word| lower.starts_with(word))
        || value.len() < 40 && within.iter().any(|word| memchr::memmem::find(&lower, word).is_some())
}

/// Whether a value of a provider's form is one of documentation: a character again and again, or a word that says so.
pub(crate) fn is_filled_in(value: &[u8]) -> bool {
    let same = value
        .windows(SAME_MAX)
        .any(|window| window.iter().all(|byte| *byte == window[0] && *byte != b'=' && *byte != b'_'));
    let has = |word: &[u8]| memchr::memmem::find(value, word).is_some();
    same || has(b"EXAMPLE")
        || has(b"example")
        || has(b"_HERE")
        || has(b"YOUR_")
        || has(b"your_")
        || has(b"XXXX")
}

/// Whether a variable is to be put in: `${NAME}`, `#{name}`, `{{ name }}`.
fn interpolated(value: &[u8]) -> bool {
    let named = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b' ' | b'-' | b':' | b'|' | b'$')
    };
    let pairs = [(&b"${"[..], &b"}"[..]), (b"#{", b"}"), (b"{{", b"}}"), (b"$(", b")")];
    pairs.into_iter().any(|(open, close)| {
        memchr::memmem::find(value, open).is_some_and(|at| {
            let rest = &value[at + open.len()..];
            let length = rest.iter().take_while(|byte| named(byte)).count();
            rest[length..].starts_with(close)
        })
    })
}

/// Whether brackets don't pair, among many signs: no programming language, but a password.
fn crooked(value: &[u8]) -> bool {
    let signs = value.iter().filter(|b| b.is_ascii_punctuation()).count();
    let mut open = Vec::new();
    let closed = value.iter().all(|byte| match byte {
        b'(' | b'[' | b'{' => {
            open.push(*byte);
            true
        }
        b')' => open.pop() == Some(b'('),
        b']' => open.pop() == Some(b'['),
        b'}' => open.pop() == Some(b'{'),
        _ => true,
    });
    signs >= 5 && !(closed && open.is_empty())
}

/// Whether an unquoted value is an expression of a programming language.
fn is_code(text: &[u8], value: &[u8], found: &Assigned) -> bool {
    let after = text.get(found.end).copied().unwrap_or(b'\n');
    if matches!(found.manner, Manner::Quoted | Manner::Listed | Manner::Tagged) {
        // A path, a URL, an interpolation, a format.
        let has = |part: &[u8]| memchr::memmem::find(value, part).is_some();
        return interpolated(value)
            || has(b"://")
            || has(b"%s")
            || value.starts_with(b"/")
            || value.starts_with(b"./")
            || value.contains(&b'\n')
            || (value.first() == Some(&b'{') && value.last() == Some(&b'}') && !has(b"\""));
    }
    let number = value.iter().all(|b| {
        b.is_ascii_hexdigit() || matches!(b, b'x' | b'X' | b'_' | b'.' | b'-' | b'u' | b'i' | b'L' | b'U')
    }) && (value.starts_with(b"0x")
        || value.starts_with(b"0X")
        || value[0].is_ascii_digit()
            && value.iter().filter(|b| b.is_ascii_alphabetic()).count() <= 3
            && value.len() < 16);
    let has = |byte: u8| value.contains(&byte);
    let brackets = has(b'(') || has(b'[') || has(b'{');
    let called = (matches!(after, b'(' | b'[' | b'{') || brackets) && !crooked(value);
    let path = memchr::memmem::find(value, b"::").is_some()
        || memchr::memmem::find(value, b"->").is_some()
        || value.starts_with(b"/")
        || value.starts_with(b"./");
    let begins = matches!(
        value[0],
        b'*' | b'&'
            | b'|'
            | b'-'
            | b'!'
            | b'='
            | b'<'
            | b'>'
            | b'.'
            | b':'
            | b','
            | b'+'
            | b'~'
            | b'?'
            | b'%'
            | b'\\'
            | b'$'
            | b'#'
            | b'@'
    ) && found.manner != Manner::Bare;
    // `a.b.c` is a field of something, `SOME_NAME` a constant.
    let field = has(b'.')
        && value.split(|b| *b == b'.').all(|part| {
            part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && Makeup::of(part).surprise() < 4.6
        });
    let constant =
        value.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_') && has(b'_');
    let identifier = has(b'_')
        && value.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && found.manner == Manner::Loose
        && Makeup::of(value).surprise() < 4.6;
    number || called || path || begins || field || constant || identifier
}
