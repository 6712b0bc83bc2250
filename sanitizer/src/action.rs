//! What takes a value's place. Every action is idempotent: what it leaves behind is not found again.
//!
//! | action | what stands there afterwards | known again by |
//! | --- | --- | --- |
//! | `token` | `REDACTED_<TYPE>_<16 hexadecimal digits>` | its form |
//! | `mask` | `MASKED_<TYPE>_xxxx`, the same for every value | its form |
//! | `drop` | nothing | |
//! | `keep` | the value; it is listed with the reason | the same policy |
//! | `domain` | of an e-mail address, its domain behind a token | a token before the `@` |
//! | `network` | of an IP address, the network that it lies in: `10.20.0.0/16`, `2001:db8:1::/48` | its length |
//!
//! `domain` and `network` do with what is no such address what `token` does.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::pseudonym::{self, PseudonymKey};

/// What is done with the values of a type or rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Action {
    /// A keyed pseudonym: who reads it can tell that two values are the same.
    #[default]
    Token,
    /// Says the type and nothing else, not even that two values are the same.
    Mask,
    /// Nothing is left.
    Drop,
    /// The value stays, for this reason.
    Keep(Arc<str>),
    /// An e-mail address loses who, and keeps where.
    Domain,
    /// An IP address loses the machine, and keeps the network.
    Network,
}

/// How long the networks are that addresses become, in bits.
const IPV4_PREFIX: u32 = 16;
const IPV6_PREFIX: u32 = 48;

impl Action {
    /// The action of this name, `keep` aside, which needs a reason.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "token" => Some(Self::Token),
            "mask" => Some(Self::Mask),
            "drop" => Some(Self::Drop),
            "domain" => Some(Self::Domain),
            "network" => Some(Self::Network),
            _ => None,
        }
    }

    /// The action's name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Mask => "mask",
            Self::Drop => "drop",
            Self::Keep(_) => "keep",
            Self::Domain => "domain",
            Self::Network => "network",
        }
    }

    /// What takes the place of a value of this type; `None` where it stays.
    pub(crate) fn replacement(&self, key: &PseudonymKey, type_name: &str, value: &[u8]) -> Option<String> {
        let token = || key.token(type_name, value);
        match self {
            Self::Token => Some(token()),
            Self::Mask => Some(pseudonym::mask(type_name)),
            Self::Drop => Some(String::new()),
            Self::Keep(_) => None,
            Self::Domain => Some(domain(value).map_or_else(token, |at| format!("{}{at}", token()))),
            Self::Network => Some(network(value).unwrap_or_else(token)),
        }
    }
}

/// `@` and what follows it, where that is a domain and nothing else.
fn domain(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?;
    let at = value.find('@')?;
    let host = &value[at + 1..];
    let fits = host.contains('.')
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && host.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && host.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric);
    fits.then(|| &value[at..])
}

fn network(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        let bits = address.to_bits() & !(u32::MAX >> IPV4_PREFIX);
        return Some(format!("{}/{IPV4_PREFIX}", Ipv4Addr::from_bits(bits)));
    }
    let address = text.parse::<Ipv6Addr>().ok()?;
    let bits = address.to_bits() & !(u128::MAX >> IPV6_PREFIX);
    Some(format!("{}/{IPV6_PREFIX}", Ipv6Addr::from_bits(bits)))
}

/// Whether an address with `rest` behind it is a network as `network` writes it, which is nobody's machine.
pub(crate) fn is_network(address: &[u8], rest: &[u8]) -> bool {
    let length = if address.contains(&b':') { &b"/48"[..] } else { b"/16" };
    let ends = rest.strip_prefix(length).is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_digit));
    let whole = |network: String| network.as_bytes().strip_suffix(length) == Some(address);
    ends && network(address).is_some_and(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(action: &Action, value: &str) -> Option<String> {
        action.replacement(&PseudonymKey::from_bytes([3; 32]), "KIND", value.as_bytes())
    }

    #[test]
    fn every_action_does_what_it_says() {
        let token = done(&Action::Token, "jane@example.org").unwrap();
        assert!(token.starts_with("REDACTED_KIND_"), "{token}");
        assert_eq!(done(&Action::Mask, "a").unwrap(), done(&Action::Mask, "another").unwrap());
        assert_eq!(done(&Action::Drop, "a").unwrap(), "");
        assert_eq!(done(&Action::Keep("ours".into()), "a"), None);
        assert_eq!(done(&Action::Domain, "jane@example.org").unwrap(), format!("{token}@example.org"));
        assert_eq!(done(&Action::Network, "10.20.30.40").unwrap(), "10.20.0.0/16");
        assert_eq!(done(&Action::Network, "2001:db8:1:2::3").unwrap(), "2001:db8:1::/48");
    }

    #[test]
    fn what_is_no_address_becomes_a_token() {
        for value in ["jane", "@", "jane@", "jane@localhost", "a@b.c:secret", "a@.b.", "10.20.30", "::g"] {
            for action in [Action::Domain, Action::Network] {
                let done = done(&action, value).unwrap();
                assert_eq!(done.len(), "REDACTED_KIND_0123456789abcdef".len(), "{value} {done}");
            }
        }
    }

    #[test]
    fn networks_are_known_again_and_addresses_are_none() {
        assert!(is_network(b"10.20.0.0", b"/16 and more"));
        assert!(is_network(b"2001:db8:1::", b"/48"));
        for (address, rest) in [
            ("10.20.0.0", ""),
            ("10.20.0.0", "/160"),
            ("10.20.0.0", "/24"),
            ("10.20.0.1", "/16"),
            ("2001:db8:1::1", "/48"),
        ] {
            assert!(!is_network(address.as_bytes(), rest.as_bytes()), "{address}{rest}");
        }
    }
}
