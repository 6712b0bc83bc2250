//! Receipts: what a hub signs, so that a customer can prove without the hub what it took.
//!
//! A receipt names the last frame of a lane that is stored without a hole. Frames are chained, so that it stands for all
//! before it in the epoch, too. It also names the end of the agent's egress ledger as the agent told it, so that the agent's
//! operator can't cut or rewrite what stands before that line without contradicting the hub's copy.
//!
//! Signed is a text, so that it can be checked without Certus (`openssl pkeyutl -verify -rawin`): the lines of
//! [`Statement::signed_text`]. This crate makes and reads the text; signing and checking is for those who hold keys.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, ContentHash, Lane, ReceiptKey, Signature};

/// The end of a ledger, or a line in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct LedgerHead {
    /// Lines up to and with this one.
    pub lines: u64,
    /// Hash of the line.
    pub hash: ContentHash,
}

/// What a hub states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Statement {
    /// Whose data.
    pub tenant: String,
    /// Whose frames.
    pub agent: AgentId,
    /// In which of the agent's lives.
    pub epoch: u32,
    /// In which lane.
    pub lane: Lane,
    /// Everything through here is stored.
    pub through: u64,
    /// Hash of the frame that ends there.
    pub frame: ContentHash,
    /// The end of the ledger that the agent told; none where it told none.
    pub ledger: Option<LedgerHead>,
    /// When, by the hub's clock, Unix milliseconds.
    pub at_ms: i64,
}

/// A statement and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Receipt {
    /// What is stated.
    pub statement: Statement,
    /// The hub's public key; whether it is to be trusted is for the reader to know.
    pub key: ReceiptKey,
    /// Ed25519 over [`Statement::signed_text`].
    pub signature: Signature,
}

impl Statement {
    /// The text that is signed: one fact a line, each line ended.
    pub fn signed_text(&self) -> String {
        let ledger = match &self.ledger {
            Some(head) => format!("{} {}", head.lines, head.hash),
            None => "none".to_owned(),
        };
        format!(
            "certus receipt 1\ntenant {}\nagent {}\nepoch {}\nlane {}\nthrough {}\nframe {}\nledger {ledger}\nat {}\n",
            self.tenant, self.agent, self.epoch, self.lane, self.through, self.frame, self.at_ms
        )
    }
}

/// A receipt key as PEM (SubjectPublicKeyInfo, RFC 8410), for people and for openssl.
pub fn key_to_pem(key: ReceiptKey) -> String {
    let der: Vec<u8> = SPKI_PREFIX.iter().chain(&key.0).copied().collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
}

/// The key that DER (SubjectPublicKeyInfo of Ed25519) holds.
pub fn key_of_der(der: &[u8]) -> Option<ReceiptKey> {
    der.strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok()).map(ReceiptKey)
}

/// SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_in_its_pem() {
        let pem = key_to_pem(ReceiptKey([7; 32]));
        // What openssl prints for these 44 bytes.
        assert_eq!(pem.lines().nth(1), Some("MCowBQYDK2VwAyEABwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="));
        let der: Vec<u8> = SPKI_PREFIX.iter().copied().chain([7; 32]).collect();
        assert_eq!(key_of_der(&der), Some(ReceiptKey([7; 32])));
        assert_eq!(key_of_der(&der[..43]), None);
    }
}
