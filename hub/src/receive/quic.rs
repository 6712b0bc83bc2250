//! The QUIC listener: certificates, windows, one task a connection.
//!
//! One endpoint serves both protocols: a session needs a client certificate of our CA, an enrolment a join token; the
//! ALPN says which is meant.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use certus_protocol::enroll::{EnrollAnswer, EnrollRequest};
use certus_protocol::limits as wire;
use certus_protocol::message::{ALPN_ENROLL, ALPN_SESSION};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Receive, session};
use crate::authority::{Authority, AuthorityError};
use crate::limits;

const IDLE_TIMEOUT_MS: u32 = 30_000;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
const RECEIVE_WINDOW_BYTES: u32 = 4 << 20;
const STREAM_RECEIVE_WINDOW_BYTES: u32 = 2 << 20;
const SEND_WINDOW_BYTES: u64 = 1 << 20;
const ENROLL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long sessions may take to end when the hub stops.
const DRAIN: Duration = Duration::from_secs(5);
const FAREWELL: Duration = Duration::from_secs(1);

/// Close codes, as agents see them.
mod code {
    pub(super) const DONE: u32 = 0;
    pub(super) const NO_CERTIFICATE: u32 = 1;
    pub(super) const BUSY: u32 = 2;
}

/// Why the listener could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The port.
    #[error("can't listen on {address} (UDP): {cause}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// The certificates.
    #[error("certificates of the listener: {0}")]
    Tls(String),
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// The one crypto provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Binds the listener. `reset` is a secret that outlives the process: agents of a hub that was killed learn from its
/// successor at once that their connection is gone (RFC 9000, section 10.3).
///
/// # Errors
/// See [`ListenError`].
pub fn bind(
    address: SocketAddr,
    authority: &Authority,
    names: &[String],
    reset: &[u8; 32],
) -> Result<Endpoint, ListenError> {
    let tls = |error: &dyn std::fmt::Display| ListenError::Tls(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(authority.ca().clone()).map_err(|error| tls(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| tls(&error))?;
    let (chain, key) = authority.hub_certificate(names)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| tls(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| tls(&error))?;
    config.alpn_protocols = vec![ALPN_SESSION.to_vec(), ALPN_ENROLL.to_vec()];
    // A resumed session would skip the certificate's check.
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(config).map_err(|error| tls(&error))?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport()));
    let failed = |cause| ListenError::Bind { address, cause };
    let socket = UdpSocket::bind(address).map_err(failed)?;
    let reference = socket2::SockRef::from(&socket);
    reference.set_recv_buffer_size(SOCKET_BUFFER_BYTES).map_err(failed)?;
    reference.set_send_buffer_size(SOCKET_BUFFER_BYTES).map_err(failed)?;
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset)));
    let id_key = u64::from_le_bytes(std::array::from_fn(|i| reset[i]));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)));
    Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime)).map_err(failed)
}

/// Serves connections until `stop`; then tells the agents and waits for their sessions to end.
pub async fn run(endpoint: Endpoint, receive: Receive, authority: Arc<Authority>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(done) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = done {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                if connections.len() >= limits::CONNECTIONS_MAX {
                    incoming.refuse();
                    continue;
                }
                connections.spawn(serve(incoming, receive.clone(), authority.clone(), stop.clone()));
            }
        }
    }
    let sessions = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, sessions).await.is_err() {
        tracing::warn!(
            "some connections did not end in time and are dropped; what was acknowledged is stored"
        );
    }
    connections.shutdown().await;
    endpoint.close(VarInt::from_u32(code::DONE), b"the hub stops");
    // Whoever does not hear of it learns it by its own timeout.
    drop(tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await);
}

async fn serve(
    incoming: quinn::Incoming,
    receive: Receive,
    authority: Arc<Authority>,
    stop: CancellationToken,
) {
    let remote = incoming.remote_address();
    let connected = tokio::select! {
        () = stop.cancelled() => return,
        connected = incoming => connected,
    };
    let connection = match connected {
        Ok(connection) => connection,
        Err(error) => {
            receive.metrics.connection_refused();
            tracing::info!(peer.address = %remote, %error, "a connection was refused");
            return;
        }
    };
    let handshake = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    if handshake.and_then(|data| data.protocol).as_deref() == Some(ALPN_ENROLL) {
        if let Err(error) = enroll(&connection, &authority).await {
            tracing::warn!(peer.address = %remote, %error, "an enrolment failed");
        }
        return;
    }
    let chain =
        connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    let peer = chain.as_ref().and_then(|chain| chain.first()).and_then(|leaf| authority.peer_of(leaf));
    let Some(peer) = peer else {
        receive.metrics.connection_refused();
        tracing::info!(peer.address = %remote, "a connection without an agent's certificate was refused");
        connection.close(
            VarInt::from_u32(code::NO_CERTIFICATE),
            b"a session needs an agent's certificate of this hub",
        );
        return;
    };
    if let Err(error) = session::run(&receive, &connection, peer, stop).await {
        tracing::info!(peer.address = %remote, %error, "a session was lost");
        connection.close(VarInt::from_u32(code::BUSY), b"the session failed; connect again");
    }
}

async fn enroll(connection: &quinn::Connection, authority: &Authority) -> Result<(), String> {
    let exchange = async {
        let (mut send, mut receive) = connection.accept_bi().await.map_err(|error| error.to_string())?;
        let bytes = receive.read_to_end(wire::MESSAGE_BYTES_MAX).await.map_err(|error| error.to_string())?;
        let answer = match EnrollRequest::decode(&bytes) {
            Ok(request) => authority.enroll(&request).await.map_err(|error| error.to_string())?,
            Err(error) => EnrollAnswer::Refused { reason: error.to_string() },
        };
        match &answer {
            EnrollAnswer::Enrolled { agent, tenant, .. } => {
                tracing::info!(agent.id = %agent, tenant, "an agent was enrolled");
            }
            EnrollAnswer::Refused { reason } => tracing::warn!(reason, "an enrolment was refused"),
        }
        send.write_all(&answer.encode()).await.map_err(|error| error.to_string())?;
        send.finish().map_err(|error| error.to_string())?;
        // The agent closes once it has read the answer.
        connection.closed().await;
        Ok(())
    };
    tokio::time::timeout(ENROLL_TIMEOUT, exchange).await.map_err(|_| "it took too long".to_owned())?
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(wire::SESSION_LANES_MAX as u32));
    transport
}
