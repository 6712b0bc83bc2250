//! What a name promises of the value that is assigned to it: a password, another secret, often something else, or only
//! something about one.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::rules::Finder;

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

/// Bytes of a word of a name at the most.
const WORD_BYTES_MAX: usize = 160;

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// A password.
    Password,
    /// Another secret.
    Secret,
    /// Often something else: `key`, `auth`, `nonce`.
    Weak,
    /// Something about a credential: its file, its name, its length.
    About,
    /// What everybody may know: a public key.
    Public,
}

/// Words at a name's end that say that the value is something about the credential.
const ABOUT: &str = "file path dir url uri name names type types length len size count min max policy field label \
    placeholder prefix suffix regex pattern format algorithm alg expire expires expiry expiration ttl timeout date time \
    version hint prompt message msg error title header index class required enabled disabled valid invalid reset usage \
    endpoint host port scheme method mode provider template env var ref kind state status option options location folder \
    bytes bits for at help event events stream column table encoder decoder decode encode store vault listener handler thumbprint fingerprint \
    start begin delimiter separator";
/// Words that say that the value opens nothing: a public key, a key into another table, the key of a handshake that is
/// echoed, a key on a keyboard, a traveller's document, which is somebody's data and looked for as that.
const OPEN: &str = "public pubkey foreign partition websocket keydown keyup keypress passport passports \
    reisepass passnummer";
const PASSWORDS: &str = "password passwd pwd pass passphrase passcode psw pw passwort kennwort passw passwords userpass \
    mdp motdepasse contrasena senha wachtwoord";
const SECRETS: &str = "secret secrets secrete token tokens credential credentials apikey apitoken accesskey secretkey \
    authtoken";
/// Words that make a `key` a secret one.
const KEY_SORTS: &str = "api access secret private auth encryption signing license session master webhook account storage \
    service app application consumer client admin shared crypt hmac tsig subscription";
/// Words at a name's end that say that the value is kept for its own sake, as a check or a number.
const CHECKED: &str = "nonce sig signature salt hash digest fingerprint";

/// What a word means, a bit each: that it stands in one of the lists, or is one of these words.
mod means {
    pub(super) const ABOUT: u16 = 1;
    pub(super) const OPEN: u16 = 2;
    pub(super) const PASSWORD: u16 = 4;
    pub(super) const SECRET: u16 = 8;
    pub(super) const KEY_SORT: u16 = 16;
    pub(super) const CHECKED: u16 = 32;
    pub(super) const KEY: u16 = 64;
    pub(super) const ID: u16 = 128;
    pub(super) const PUBLIC_KEY: u16 = 256;
    /// What follows is not in the lists: a sort of keys glued to `key`.
    pub(super) const GLUED: u16 = 512;
}

/// What each word means. Nobody adds one, so the hash need not withstand attackers.
static WORDS: LazyLock<FxHashMap<&[u8], u16>> = LazyLock::new(|| {
    let lists = [
        (ABOUT, means::ABOUT),
        (OPEN, means::OPEN),
        (PASSWORDS, means::PASSWORD),
        (SECRETS, means::SECRET),
        (KEY_SORTS, means::KEY_SORT),
        (CHECKED, means::CHECKED),
        ("key keys", means::KEY),
        ("id", means::ID),
        ("publickey", means::PUBLIC_KEY),
    ];
    let mut words = FxHashMap::default();
    for (list, meaning) in lists {
        for word in list.split_ascii_whitespace() {
            *words.entry(word.as_bytes()).or_default() |= meaning;
        }
    }
    words
});

/// What the name before a value promises.
pub(super) fn promise(sort: Finder, name: &[u8]) -> Promise {
    let Some(Read { any, last }) = read(name) else { return Promise::About };
    if any & means::OPEN != 0 || last & means::PUBLIC_KEY != 0 {
        return Promise::Public;
    }
    if last & means::ABOUT != 0 || last & means::ID != 0 && sort == Finder::Secret {
        return Promise::About;
    }
    if any & means::PASSWORD != 0 {
        return Promise::Password;
    }
    let keyed = any & means::KEY != 0 && any & means::KEY_SORT != 0;
    if any & (means::SECRET | means::GLUED) != 0 || keyed { Promise::Secret } else { Promise::Weak }
}

/// Whether a name says that the value is a nonce, a salt or a signature: seldom secret by itself.
pub(super) fn is_check(name: &[u8]) -> bool {
    read(name).is_some_and(|read| read.last & means::CHECKED != 0)
}

/// What the words of a name mean.
#[derive(Debug, Clone, Copy)]
struct Read {
    any: u16,
    last: u16,
}

/// What the words of a name mean; `None` where it has none. Words are apart by what is no letter, and by capitals.
fn read(name: &[u8]) -> Option<Read> {
    let mut read = None;
    let mut word = [0; WORD_BYTES_MAX];
    let mut length = 0;
    let mut before = b' ';
    let mut end = |word: &[u8]| {
        let last = meaning(word);
        let any = last | read.map_or(0, |read: Read| read.any);
        read = Some(Read { any, last });
    };
    for (at, byte) in name.iter().enumerate() {
        let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_uppercase() && next_lower);
        if (begins || !byte.is_ascii_alphabetic()) && length > 0 {
            end(&word[..length]);
            length = 0;
        }
        if byte.is_ascii_alphabetic() && length < WORD_BYTES_MAX {
            word[length] = byte.to_ascii_lowercase();
            length += 1;
        }
        before = *byte;
    }
    if length > 0 {
        end(&word[..length]);
    }
    read
}

/// What a word in lower case means.
fn meaning(word: &[u8]) -> u16 {
    const PASSWORD_ENDS: [&[u8]; 3] = [b"password", b"passwd", b"pwd"];
    const SECRET_ENDS: [&[u8]; 3] = [b"secret", b"token", b"apikey"];
    let ends = |endings: [&[u8]; 3]| endings.into_iter().any(|ending| word.ends_with(ending));
    let listed = |word: &[u8]| WORDS.get(word).copied().unwrap_or(0);
    let mut meaning = listed(word);
    meaning |= if ends(PASSWORD_ENDS) { means::PASSWORD } else { 0 };
    meaning |= if ends(SECRET_ENDS) { means::SECRET } else { 0 };
    let glued = word.strip_suffix(b"key").is_some_and(|sort| listed(sort) & means::KEY_SORT != 0);
    meaning | if glued { means::GLUED } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_promise_by_their_words() {
        for (name, promised) in [
            ("DB_PASSWORD", Promise::Password),
            ("userPassword", Promise::Password),
            ("spring.datasource.password", Promise::Password),
            ("passwordFile", Promise::About),
            ("password_reset", Promise::About),
            ("accessToken", Promise::Secret),
            ("AWS_SECRET_ACCESS_KEY", Promise::Secret),
            ("signingKey", Promise::Secret),
            ("key", Promise::Weak),
            ("TokenStream", Promise::About),
            ("PublicKeyToken", Promise::Public),
            ("public_key", Promise::Public),
            ("foreignKey", Promise::Public),
            ("api_key_id", Promise::About),
            ("us_passport", Promise::Public),
            ("bypass", Promise::Weak),
        ] {
            assert_eq!(promise(Finder::Secret, name.as_bytes()), promised, "{name}");
        }
    }
}
