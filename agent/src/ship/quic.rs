//! The QUIC connection to the hub: sockets, windows and certificates. What is said on it is the session's matter.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use certus_protocol::ids::Lane;
use certus_protocol::limits;
use certus_protocol::message::{ALPN_SESSION, Message};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ConnectionError, Endpoint, EndpointConfig, IdleTimeout, ReadError, TokioRuntime, TransportConfig, VarInt,
};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::link::{self, Link, Transport};
use super::pace::Pace;
use crate::identity::Identity;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT_MS: u32 = 30_000;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// What quinn may hold of unacknowledged stream data; part of the agent's memory budget.
const SEND_WINDOW_BYTES: u64 = 2 << 20;
const STREAM_RECEIVE_WINDOW_BYTES: u32 = 256 << 10;
const RECEIVE_WINDOW_BYTES: u32 = 1 << 20;

/// Why there is no connection, in a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing answers there: retry.
    #[error(
        "the hub at {hub} is not reachable: {cause}. Check address, firewall (UDP, TCP) and that the hub runs"
    )]
    Unreachable {
        /// Host and port.
        hub: String,
        /// What happened.
        cause: String,
    },
    /// The hub's certificate is signed by another CA than the one known.
    #[error(
        "the hub at {0} shows a certificate of another CA than the one this agent trusts: wrong hub, or wrong token"
    )]
    WrongCa(String),
    /// The hub's certificate is made out to other names.
    #[error(
        "the hub at {0} shows a certificate made out to another name: add the name to `names` in hub.toml"
    )]
    WrongName(String),
    /// A certificate is not valid at this time, here or there.
    #[error(
        "the certificates of this agent or of the hub at {0} are not valid now: check both clocks; if the certificate has expired, enrol again"
    )]
    Clock(String),
    /// The hub does not accept this agent's certificate.
    #[error("the hub at {0} does not accept this agent's certificate: enrol again with a new join token")]
    NotAccepted(String),
    /// There was a connection: retry.
    #[error("the connection to the hub was lost: {0}")]
    Lost(String),
    /// The way to the hub leads over a proxy, which does not let through: see the cause.
    #[error("{0}")]
    Proxy(String),
}

impl ConnectError {
    /// Nothing answers at `hub`.
    pub fn unreachable(hub: &str, cause: &str) -> Self {
        Self::Unreachable { hub: hub.to_owned(), cause: cause.to_owned() }
    }

    /// Neither way works: of two reasons the one that says more, of two that say little both.
    pub fn both(quic: Self, tcp: Self) -> Self {
        match (quic, tcp) {
            (Self::Unreachable { hub, cause }, Self::Unreachable { cause: tcp, .. } | Self::Proxy(tcp)) => {
                Self::Unreachable { hub, cause: format!("QUIC: {cause}; TCP: {tcp}") }
            }
            (Self::Unreachable { .. } | Self::Lost(_), tcp) => tcp,
            (quic, _) => quic,
        }
    }

    /// Reads a lost connection's reason. TLS alerts (RFC 8446, section 6) tell more than their texts.
    pub fn from_connection(hub: &str, error: &ConnectionError) -> Self {
        let (code, ours) = match error {
            ConnectionError::TransportError(error) => (u64::from(error.code), true),
            ConnectionError::ConnectionClosed(close) => (u64::from(close.error_code), false),
            ConnectionError::TimedOut => return Self::unreachable(hub, "nothing answered in time"),
            other => return Self::unreachable(hub, &other.to_string()),
        };
        const CRYPTO_ERROR: u64 = 0x100;
        let text = error.to_string();
        let alert = code.checked_sub(CRYPTO_ERROR).and_then(|code| u8::try_from(code).ok());
        alert.and_then(|alert| Self::from_alert(hub, alert, ours, &text)).unwrap_or_else(|| match ours {
            false if code == 0 => Self::Lost("the hub closed it".to_owned()),
            _ => Self::unreachable(hub, &text),
        })
    }

    /// Reads a TLS alert (RFC 8446, section 6), ours or the hub's; `None` where it says nothing to people.
    pub(super) fn from_alert(hub: &str, alert: u8, ours: bool, text: &str) -> Option<Self> {
        const BAD_CERTIFICATE: u8 = 42;
        const CERTIFICATE_EXPIRED: u8 = 45;
        const CERTIFICATE_UNKNOWN: u8 = 46;
        const UNKNOWN_CA: u8 = 48;
        // What a CA of the same name, but with another key, leads to.
        const DECRYPT_ERROR: u8 = 51;
        const CERTIFICATE_REQUIRED: u8 = 116;
        match alert {
            _ if text.contains("not valid for name") || text.contains("NotValidForName") => {
                Some(Self::WrongName(hub.to_owned()))
            }
            CERTIFICATE_EXPIRED => Some(Self::Clock(hub.to_owned())),
            UNKNOWN_CA | BAD_CERTIFICATE | DECRYPT_ERROR if ours => Some(Self::WrongCa(hub.to_owned())),
            UNKNOWN_CA | BAD_CERTIFICATE | DECRYPT_ERROR | CERTIFICATE_UNKNOWN | CERTIFICATE_REQUIRED => {
                Some(Self::NotAccepted(hub.to_owned()))
            }
            _ => None,
        }
    }
}

/// A connection and the endpoint that it needs.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub connection: quinn::Connection,
    endpoint: Endpoint,
}

impl Connected {
    /// Closes the connection and waits, for a moment, until the other side can know.
    pub async fn close(self) {
        self.connection.close(VarInt::from_u32(0), b"");
        if tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await.is_err() {
            tracing::debug!("the hub did not confirm the end of the connection");
        }
    }
}

/// The one crypto provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What this agent shows and trusts in a session.
///
/// # Errors
/// The identity's files don't fit together.
pub fn session_tls(identity: &Identity) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for root in &identity.roots {
        roots.add(root.clone())?;
    }
    rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.chain.clone(), identity.key())
}

/// Connects to `hub` (host and port); every address that its name has is tried.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(
    hub: &str,
    mut tls: rustls::ClientConfig,
    alpn: &[u8],
) -> Result<Connected, ConnectError> {
    tls.alpn_protocols = vec![alpn.to_vec()];
    let unreachable = |cause: &dyn std::fmt::Display| ConnectError::unreachable(hub, &cause.to_string());
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| unreachable(&error))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    let name = hub.rsplit_once(':').map_or(hub, |(host, _)| host).trim_matches(['[', ']']);
    let addresses = tokio::net::lookup_host(hub).await.map_err(|error| unreachable(&error))?;
    let mut last = unreachable(&"its name has no address");
    for address in addresses {
        let endpoint = endpoint(address).map_err(|error| unreachable(&error))?;
        let connecting =
            endpoint.connect_with(config.clone(), address, name).map_err(|error| unreachable(&error))?;
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => return Ok(Connected { connection, endpoint }),
            Ok(Err(error)) => last = ConnectError::from_connection(hub, &error),
            Err(_) => last = unreachable(&"nothing answered in time"),
        }
    }
    Err(last)
}

/// Opens what a session needs on a new connection to `hub`.
///
/// # Errors
/// See [`ConnectError`].
pub async fn open(hub: &str, tls: rustls::ClientConfig, pace: Arc<Pace>) -> Result<Link, ConnectError> {
    let connected = connect(hub, tls, ALPN_SESSION).await?;
    let lost = |error: ConnectionError| ConnectError::from_connection(hub, &error);
    let (control_out, control_in) = connected.connection.open_bi().await.map_err(lost)?;
    let (mut tasks, mut writer) = (JoinSet::new(), JoinSet::new());
    let mut lanes = BTreeMap::new();
    for lane in Lane::ALL {
        // Streams of one priority share fairly, so that neither lane waits for the other.
        let stream = connected.connection.open_uni().await.map_err(lost)?;
        let (sender, receiver) = mpsc::channel(link::GROUPS);
        tasks.spawn(write_frames(stream, lane, receiver, pace.clone()));
        lanes.insert(lane, sender);
    }
    let (messages_in, messages) = mpsc::channel(link::MESSAGES);
    tasks.spawn(read_messages(control_in, hub.to_owned(), messages_in));
    let (control, says) = mpsc::channel(link::MESSAGES);
    writer.spawn(write_messages(control_out, says));
    Ok(Link { transport: Transport::Quic, control, messages, lanes, tasks, writer, quic: Some(connected) })
}

async fn write_frames(
    mut stream: quinn::SendStream,
    lane: Lane,
    mut groups: mpsc::Receiver<Vec<Bytes>>,
    pace: Arc<Pace>,
) {
    while let Some(group) = groups.recv().await {
        for mut frame in group {
            while !frame.is_empty() {
                if let Err(error) = stream.write_chunk(pace.take(lane, &mut frame).await).await {
                    tracing::debug!(%error, "a lane's stream ended");
                    return;
                }
            }
        }
    }
}

async fn write_messages(mut stream: quinn::SendStream, mut says: mpsc::Receiver<Message>) {
    while let Some(message) = says.recv().await {
        if stream.write_all(&message.encode()).await.is_err() {
            return;
        }
    }
}

async fn read_messages(
    mut stream: quinn::RecvStream,
    hub: String,
    out: mpsc::Sender<Result<Message, ConnectError>>,
) {
    let mut buffer = BytesMut::new();
    loop {
        let outcome = match link::next_message(&mut buffer) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => match stream.read_chunk(limits::MESSAGE_BYTES_MAX, true).await {
                Ok(Some(chunk)) => {
                    buffer.extend_from_slice(&chunk.bytes);
                    continue;
                }
                Ok(None) => Err(ConnectError::Lost("the hub closed it".to_owned())),
                // The hub's verdict on a certificate arrives as the reason of the close.
                Err(ReadError::ConnectionLost(error)) => Err(ConnectError::from_connection(&hub, &error)),
                Err(error) => Err(ConnectError::Lost(error.to_string())),
            },
            Err(error) => Err(error),
        };
        let failed = outcome.is_err();
        if out.send(outcome).await.is_err() || failed {
            return;
        }
    }
}

fn endpoint(address: SocketAddr) -> std::io::Result<Endpoint> {
    let any: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    let reference = socket2::SockRef::from(&socket);
    // The kernel grants what net.core.{r,w}mem_max allows; less costs packets, not correctness.
    reference.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    reference.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0));
    transport
}
