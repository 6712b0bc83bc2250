//! The QUIC connection to the hub: sockets, windows and certificates. What is said on it is the session's matter.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ConnectionError, Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

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
        "the hub at {hub} is not reachable: {cause}. Check address, firewall (UDP) and that the hub runs"
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
}

impl ConnectError {
    /// Nothing answers at `hub`.
    pub fn unreachable(hub: &str, cause: &str) -> Self {
        Self::Unreachable { hub: hub.to_owned(), cause: cause.to_owned() }
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
        const BAD_CERTIFICATE: u64 = 42;
        const CERTIFICATE_EXPIRED: u64 = 45;
        const CERTIFICATE_UNKNOWN: u64 = 46;
        const UNKNOWN_CA: u64 = 48;
        // What a CA of the same name, but with another key, leads to.
        const DECRYPT_ERROR: u64 = 51;
        const CERTIFICATE_REQUIRED: u64 = 116;
        let text = error.to_string();
        match code.checked_sub(CRYPTO_ERROR) {
            Some(_) if text.contains("not valid for name") || text.contains("NotValidForName") => {
                Self::WrongName(hub.to_owned())
            }
            Some(CERTIFICATE_EXPIRED) => Self::Clock(hub.to_owned()),
            Some(UNKNOWN_CA | BAD_CERTIFICATE | DECRYPT_ERROR) if ours => Self::WrongCa(hub.to_owned()),
            Some(
                UNKNOWN_CA | BAD_CERTIFICATE | DECRYPT_ERROR | CERTIFICATE_UNKNOWN | CERTIFICATE_REQUIRED,
            ) => Self::NotAccepted(hub.to_owned()),
            _ => Self::unreachable(hub, &text),
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
