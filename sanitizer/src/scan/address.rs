//! Addresses, told by what stands in them: `@` in those of mail, dots between digits, colons between hexadecimal digits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Search, finder, hints, is_token, person};
use crate::action::is_network;
use crate::rules::{Finder, Rule};
use crate::simd::{Events, each};
use crate::work;

/// The rules of addresses.
#[derive(Debug)]
pub(super) struct Addresses {
    email: Option<u16>,
    ipv4: Option<u16>,
    ipv6: Option<u16>,
    pub(super) mac: Option<u16>,
}

/// Where addresses were found, so that none is looked at twice.
#[derive(Debug, Default)]
pub(super) struct Walk {
    done: usize,
}

/// Of RFC 5321.
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 253;
/// An IPv6 address with an IPv4 address at its end.
const IP_BYTES_MAX: usize = 45;

impl Addresses {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self {
            email: finder(rules, Finder::Email),
            ipv4: finder(rules, Finder::Ipv4),
            ipv6: finder(rules, Finder::Ipv6),
            mac: finder(rules, Finder::Mac),
        }
    }
}

impl Walk {
    #[inline]
    pub(super) fn block(
        &mut self,
        addresses: &Addresses,
        search: &mut Search<'_>,
        at: usize,
        (events, block): (&Events, usize),
    ) {
        each(events.ats[block], at, |place| email(addresses, search, place));
        each(events.pairs[block], at, |place| {
            hints::pairs(search, place);
            if let Some(number) = addresses.mac {
                hardware(number, search, place);
            }
        });
        each(events.dots[block], at, |place| {
            if place >= self.done {
                self.done = ipv4(addresses, search, place).unwrap_or(self.done);
            }
        });
        each(events.colons[block], at, |place| {
            if place >= self.done {
                self.done = colons_at(addresses, search, place).unwrap_or(self.done);
            }
        });
    }
}

/// `00-11-22-33-44-55` or `0011.2233.4455`.
fn hardware(rule: u16, search: &mut Search<'_>, start: usize) {
    let Some(value) = search.text.get(start..start + 17) else {
        return hardware_at(rule, search, start, 14);
    };
    let dashes = value.iter().enumerate().all(|(i, b)| {
        if i % 3 == 2 { *b == value[2] && matches!(b, b'-' | b':') } else { b.is_ascii_hexdigit() }
    });
    hardware_at(rule, search, start, if dashes { 17 } else { 14 });
}

pub(super) fn hardware_at(rule: u16, search: &mut Search<'_>, start: usize, length: usize) {
    let text = search.text;
    let Some(value) = text.get(start..start + length) else { return };
    let joins = |byte: Option<&u8>| {
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'))
    };
    let dotted = length == 17
        || value.iter().enumerate().all(|(i, b)| if i % 5 == 4 { *b == b'.' } else { b.is_ascii_hexdigit() });
    if dotted && !joins(start.checked_sub(1).and_then(|at| text.get(at))) && !joins(text.get(start + length))
    {
        search.offer(rule, start, start + length);
    }
}

/// The stretch around `at` whose bytes are all of a sort, at most `max` on each side.
fn stretch(text: &[u8], at: usize, max: usize, is: impl Fn(&u8) -> bool) -> (usize, usize) {
    let left = text[at.saturating_sub(max)..at].iter().rev().take_while(|byte| is(byte)).count();
    let right = text[at..text.len().min(at + max)].iter().take_while(|byte| is(byte)).count();
    work::count(left + right);
    (at - left, at + right)
}

pub(super) fn email(addresses: &Addresses, search: &mut Search<'_>, at: usize) {
    let Some(number) = addresses.email else { return };
    let text = search.text;
    let local = |b: &u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || *b >= 0x80
    };
    let before = &text[at.saturating_sub(LOCAL_BYTES_MAX)..at];
    let left = before.iter().rev().take_while(|byte| local(byte)).count();
    let lead =
        before[before.len() - left..].iter().take_while(|b| matches!(b, b'.' | b'-' | b'%' | b'\'')).count();
    let start = at - left + lead;
    work::count(left);
    let host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let after = &text[at + 1..text.len().min(at + 1 + DOMAIN_BYTES_MAX)];
    let mut domain = &after[..after.iter().take_while(|byte| host(byte)).count()];
    while let Some(rest) = domain.strip_suffix(b".").or_else(|| domain.strip_suffix(b"-")) {
        domain = rest;
    }
    let top = domain.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let named = top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic) && domain.len() > top.len() + 1;
    let goes_on = text.get(at + 1 + domain.len()).is_some_and(|b| matches!(b, b'_'));
    // What `domain` left of an address is nobody's any more.
    let ours = start < at && is_token(text, start, at);
    if start < at && named && !goes_on && !ours && !domain.starts_with(b".") {
        search.offer(number, start, at + 1 + domain.len());
        if let Some(rule) = search.scanner.persons.name {
            person::before_address(search, rule, start);
        }
    }
}

pub(super) fn ipv4(addresses: &Addresses, search: &mut Search<'_>, at: usize) -> Option<usize> {
    let number = addresses.ipv4?;
    let text = search.text;
    let (start, mut end) = stretch(text, at, 16, |byte| byte.is_ascii_digit() || *byte == b'.');
    if text.get(end).is_none_or(|b| !b.is_ascii_alphanumeric()) && text[start..end].ends_with(b".") {
        end -= 1;
    }
    let joins =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let address = std::str::from_utf8(&text[start..end]).ok().and_then(|text| text.parse::<Ipv4Addr>().ok());
    let network = is_network(&text[start..end], &text[end..]);
    if address.is_some() && !network && !joins(before) && !joins(text.get(end)) && !versioned(text, start) {
        search.offer(number, start, end);
    }
    Some(end.max(at + 1))
}

/// Whether a word before says that it is a version.
fn versioned(text: &[u8], start: usize) -> bool {
    let near = text[start.saturating_sub(16)..start].to_ascii_lowercase();
    near.ends_with(b"v")
        || memchr::memmem::find(&near, b"version").is_some()
        || memchr::memmem::find(&near, b"ver.").is_some()
}

/// An IPv6 or a hardware address with a colon at `at`.
pub(super) fn colons_at(addresses: &Addresses, search: &mut Search<'_>, at: usize) -> Option<usize> {
    let text = search.text;
    let (start, end) = stretch(text, at, IP_BYTES_MAX, |b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
    let value = text[start..end].strip_suffix(b".").unwrap_or(&text[start..end]);
    let end = start + value.len();
    let joins = |byte: Option<&u8>| {
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':'))
    };
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    if joins(before) || joins(text.get(end)) {
        return Some(end.max(at + 1));
    }
    if value.len() == 17 && value.iter().enumerate().all(|(i, b)| (i % 3 == 2) == (*b == b':')) {
        if let Some(number) = addresses.mac {
            search.offer(number, start, end);
        }
    } else if let Some(number) = addresses.ipv6 {
        let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        let network = is_network(value, &text[end..]);
        if !network && parsed.is_some_and(|address| IpAddr::V6(address).is_ipv6()) {
            search.offer(number, start, end);
        }
    }
    Some(end.max(at + 1))
}
