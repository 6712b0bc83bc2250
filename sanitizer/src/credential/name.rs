//! What a name promises of the value that is assigned to it: a password, another secret, often something else, or only
//! something about one.

use std::collections::HashSet;
use std::sync::LazyLock;

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

/// Words of a sort, in lower case.
type Words = LazyLock<HashSet<&'static str>>;

/// Words at a name's end that say that the value is something about the credential.
static ABOUT: Words = LazyLock::new(|| {
    "file path dir url uri name names type types length len size count min max policy field label \
    placeholder prefix suffix regex pattern format algorithm alg expire expires expiry expiration ttl timeout date time \
    version hint prompt message msg error title header index class required enabled disabled valid invalid reset usage \
    endpoint host port scheme method mode provider template env var ref kind state status option options location folder \
    bytes bits for at help event events stream column table encoder decoder decode encode store vault listener handler thumbprint fingerprint \
    start begin delimiter separator".split_ascii_whitespace().collect()
});
/// Words that say that everybody may know the value: a public key, a key into another table, the key of a handshake that is
/// echoed, a key on a keyboard.
static OPEN: Words = LazyLock::new(|| {
    "public pubkey foreign partition websocket keydown keyup keypress".split_ascii_whitespace().collect()
});
static PASSWORDS: Words = LazyLock::new(|| {
    "password passwd pwd pass passphrase passcode psw pw passwort kennwort passw passwords userpass \
    mdp motdepasse contrasena senha wachtwoord"
        .split_ascii_whitespace()
        .collect()
});
static SECRETS: Words = LazyLock::new(|| {
    "secret secrets secrete token tokens credential credentials apikey apitoken accesskey secretkey \
    authtoken"
        .split_ascii_whitespace()
        .collect()
});
/// Words that make a `key` a secret one.
static KEY_SORTS: Words = LazyLock::new(|| {
    "api access secret private auth encryption signing license session master webhook account storage \
    service app application consumer client admin shared crypt hmac tsig subscription"
        .split_ascii_whitespace()
        .collect()
});
/// Words at a name's end that say that the value is kept for its own sake, as a check or a number.
static CHECKED: Words =
    LazyLock::new(|| "nonce sig signature salt hash digest fingerprint".split_ascii_whitespace().collect());

fn is(list: &Words, word: &str) -> bool {
    list.contains(word)
}

/// What the name before a value promises.
pub(super) fn promise(sort: Finder, name: &[u8]) -> Promise {
    let words = words(name);
    let Some(last) = words.last() else { return Promise::About };
    let open = |word: &String| is(&OPEN, word);
    if words.iter().any(open) || last == "publickey" {
        return Promise::Public;
    }
    if is(&ABOUT, last) || last == "id" && sort == Finder::Secret {
        return Promise::About;
    }
    let ends = |endings: &[&str]| words.iter().any(|word| endings.iter().any(|end| word.ends_with(end)));
    if words.iter().any(|word| is(&PASSWORDS, word)) || ends(&["password", "passwd", "pwd"]) {
        return Promise::Password;
    }
    if words.iter().any(|word| is(&SECRETS, word)) || ends(&["secret", "token", "apikey"]) {
        return Promise::Secret;
    }
    let keyed = words.iter().any(|word| word == "key" || word == "keys")
        && words.iter().any(|word| is(&KEY_SORTS, word));
    let glued = words.iter().any(|word| word.strip_suffix("key").is_some_and(|sort| is(&KEY_SORTS, sort)));
    if keyed || glued { Promise::Secret } else { Promise::Weak }
}

/// Whether a name says that the value is a nonce, a salt or a signature: seldom secret by itself.
pub(super) fn is_check(name: &[u8]) -> bool {
    words(name).last().is_some_and(|last| is(&CHECKED, last))
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
        ] {
            assert_eq!(promise(Finder::Secret, name.as_bytes()), promised, "{name}");
        }
    }
}
