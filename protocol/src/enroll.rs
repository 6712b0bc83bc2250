//! How an agent without a certificate gets one: join token, request, answer.
//!
//! On a connection with ALPN [`crate::message::ALPN_ENROLL`] (over QUIC: on its first bidirectional stream) the agent sends
//! one request and reads one answer. Each is its length (u32, little-endian, at most [`limits::MESSAGE_BYTES_MAX`]), then
//! bincode. The server is authenticated by the token's pin, the agent by the token.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::encoding;
use crate::ids::{AgentId, ContentHash};
use crate::limits;

/// A single-use join token: where the hub is, which CA it must show, and the secret.
///
/// Its text is `certus-join-1.<pin>.<secret>.<host:port>`, pin and secret as hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Host and port of the hub's QUIC listener.
    pub hub: String,
    /// BLAKE3 of the CA certificate's DER.
    pub pin: ContentHash,
    /// The secret; the hub stores its hash only.
    pub secret: [u8; 32],
}

/// Why a text is no join token. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: expected certus-join-1.<pin>.<secret>.<host:port>, whole and on one line")]
pub struct JoinTokenError;

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("hub", &self.hub).field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;
    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let mut fields = text.trim().splitn(4, '.');
        let mut field = || fields.next().ok_or(JoinTokenError);
        if field()? != "certus-join-1" {
            return Err(JoinTokenError);
        }
        let pin = field()?.parse().map_err(|_| JoinTokenError)?;
        let secret: ContentHash = field()?.parse().map_err(|_| JoinTokenError)?;
        let hub = field()?.to_owned();
        let named =
            hub.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if named && hub.len() <= 256 { Ok(Self { hub, pin, secret: secret.0 }) } else { Err(JoinTokenError) }
    }
}

impl JoinToken {
    /// The token's text, secret included: for the one who hands it to the agent's installer.
    pub fn to_text(&self) -> String {
        format!("certus-join-1.{}.{}.{}", self.pin, ContentHash(self.secret), self.hub)
    }
}

/// What an agent asks for.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct EnrollRequest {
    /// The token's secret.
    pub secret: [u8; 32],
    /// PKCS#10 request, DER; its names are ignored, its signature proves possession of the key.
    pub csr_der: Vec<u8>,
    /// What people call the host, sanitized; at most 256 bytes.
    pub label: String,
}

/// What a hub answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum EnrollAnswer {
    /// The agent is known now.
    Enrolled {
        /// Its id.
        agent: AgentId,
        /// Its tenant.
        tenant: String,
        /// Its certificate, then what leads to the CA, DER each.
        chain_der: Vec<Vec<u8>>,
        /// The CA certificates that a hub may be signed by, DER each.
        roots_der: Vec<Vec<u8>>,
    },
    /// The token is unknown, used or expired, or the request is not valid; for people.
    Refused {
        /// Why; the same for unknown and used tokens.
        reason: String,
    },
}

/// Bytes that are no request or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid enrolment message")]
pub struct EnrollError;

macro_rules! coded {
    ($name:ident) => {
        impl $name {
            /// As it travels.
            pub fn encode(&self) -> Vec<u8> {
                encoding::encode(self)
            }

            /// From the wire.
            ///
            /// # Errors
            /// The bytes are too many or none such.
            pub fn decode(bytes: &[u8]) -> Result<Self, EnrollError> {
                if bytes.len() > limits::MESSAGE_BYTES_MAX {
                    return Err(EnrollError);
                }
                encoding::decode::<_, { 2 * limits::MESSAGE_BYTES_MAX }>(bytes).ok_or(EnrollError)
            }
        }
    };
}

coded!(EnrollRequest);
coded!(EnrollAnswer);
