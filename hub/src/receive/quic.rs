//! The QUIC listener: certificates, windows, one task a connection.
//!
//! One endpoint serves both protocols: a session needs a client certificate of our CA, an enrolment a join token; the
//! ALPN says which is meant.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::BytesMut;
use certus_protocol::enroll::{EnrollAnswer, EnrollRequest};
use certus_protocol::ids::Lane;
use certus_protocol::limits as wire;
use certus_protocol::message::{ALPN_ENROLL, ALPN_SESSION, Message};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::link::{self, Heard, LaneIn, Link, Room};
use super::{Receive, session};
use crate::authority::{Authority, AuthorityError};
use crate::limits;

const IDLE_TIMEOUT_MS: u32 = 30_000;
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
const SEND_WINDOW_BYTES: u64 = 256 << 10;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing is begun for so long is closed.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const ENROLL_TIMEOUT: Duration = Duration::from_secs(15);
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
    #[error("can't listen on {address} ({protocol}): {cause}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// UDP or TCP.
        protocol: &'static str,
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

/// What agents are shown and asked for, on UDP and on TCP.
///
/// # Errors
/// See [`ListenError`].
pub fn tls(authority: &Authority, names: &[String]) -> Result<rustls::ServerConfig, ListenError> {
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
    Ok(config)
}

/// Binds the listener. `reset` is a secret that outlives the process: agents of a hub that was killed learn from its
/// successor at once that their connection is gone (RFC 9000, section 10.3).
///
/// # Errors
/// See [`ListenError`].
pub fn bind(
    address: SocketAddr,
    config: rustls::ServerConfig,
    reset: &[u8; 32],
) -> Result<Endpoint, ListenError> {
    let tls = |error: &dyn std::fmt::Display| ListenError::Tls(error.to_string());
    let crypto = QuicServerConfig::try_from(config).map_err(|error| tls(&error))?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport()))
        .max_incoming(limits::HANDSHAKES_MAX)
        .incoming_buffer_size(limits::INCOMING_BYTES)
        .incoming_buffer_size_total(limits::INCOMING_BYTES * limits::HANDSHAKES_MAX as u64 / 4);
    let failed = |cause| ListenError::Bind { address, protocol: "UDP", cause };
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
    let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
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
                let under_way = limits::HANDSHAKES_MAX - handshakes.available_permits();
                if under_way >= limits::HANDSHAKES_TRUSTED && !incoming.remote_address_validated() {
                    // It comes again and shows that its address is its own; nothing is kept until then.
                    drop(incoming.retry());
                    continue;
                }
                let Ok(handshake) = handshakes.clone().try_acquire_owned() else {
                    incoming.refuse();
                    continue;
                };
                if connections.len() >= limits::AGENTS_MAX {
                    incoming.refuse();
                    continue;
                }
                let (receive, authority, stop) = (receive.clone(), authority.clone(), stop.clone());
                connections.spawn(async move {
                    let remote = incoming.remote_address();
                    let connected = tokio::select! {
                        () = stop.cancelled() => return,
                        connected = tokio::time::timeout(HANDSHAKE_TIMEOUT, incoming) => connected,
                    };
                    drop(handshake);
                    match connected {
                        Ok(Ok(connection)) => serve(connection, &receive, &authority, stop).await,
                        failed => {
                            let why = failed.map_or("it took too long".to_owned(), |outcome| {
                                outcome.err().map_or(String::new(), |error| error.to_string())
                            });
                            receive.metrics.connection_refused();
                            tracing::info!(peer.address = %remote, why, "a connection was refused");
                        }
                    }
                });
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
    connection: quinn::Connection,
    receive: &Receive,
    authority: &Authority,
    stop: CancellationToken,
) {
    let remote = connection.remote_address();
    let handshake = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    if handshake.and_then(|data| data.protocol).as_deref() == Some(ALPN_ENROLL) {
        let exchange = async {
            let (send, receive) = connection.accept_bi().await.map_err(|error| error.to_string())?;
            enroll(send, receive, authority).await?;
            // The agent closes once it has read the answer.
            connection.closed().await;
            Ok(())
        };
        enrolled(tokio::time::timeout(ENROLL_TIMEOUT, exchange).await, remote);
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
    let outcome = match open(&connection).await {
        Ok(link) => session::run(receive, link, peer, stop).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => connection.close(VarInt::from_u32(code::DONE), b""),
        Err(error) => {
            tracing::info!(peer.address = %remote, %error, "a session was lost");
            connection.close(VarInt::from_u32(code::BUSY), b"the session failed; connect again");
        }
    }
}

/// Answers one request to enrol.
///
/// # Errors
/// What came is no request, the store failed, or the connection was lost.
pub(super) async fn enroll(
    mut send: impl AsyncWrite + Unpin,
    mut receive: impl AsyncRead + Unpin,
    authority: &Authority,
) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let length = receive.read_u32_le().await.map_err(text)? as usize;
    if length > wire::MESSAGE_BYTES_MAX {
        return Err(format!("a request of {length} bytes"));
    }
    let mut bytes = vec![0; length];
    receive.read_exact(&mut bytes).await.map_err(text)?;
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
    let answer = answer.encode();
    send.write_u32_le(answer.len() as u32).await.map_err(text)?;
    send.write_all(&answer).await.map_err(text)?;
    send.flush().await.map_err(text)
}

/// Tells of an enrolment that failed.
pub(super) fn enrolled(outcome: Result<Result<(), String>, tokio::time::error::Elapsed>, remote: SocketAddr) {
    let error = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(_) => "it took too long".to_owned(),
    };
    tracing::warn!(peer.address = %remote, error, "an enrolment failed");
}

/// The link of a connection whose peer is known.
async fn open(connection: &quinn::Connection) -> Result<Link, String> {
    let begun = tokio::time::timeout(BEGIN_TIMEOUT, connection.accept_bi()).await;
    let (control, control_in) =
        begun.map_err(|_| "nothing was begun on it".to_owned())?.map_err(|error| error.to_string())?;
    let (heard_in, heard) = mpsc::channel(limits::SESSION_QUEUE_FRAMES);
    let (answers, answers_out) = mpsc::channel(limits::SESSION_QUEUE_ANSWERS);
    let (mut readers, mut writer) = (JoinSet::new(), JoinSet::new());
    readers.spawn(read_messages(control_in, heard_in.clone()));
    readers.spawn(read_lanes(connection.clone(), heard_in));
    writer.spawn(write_answers(control, answers_out));
    Ok(Link { heard, answers, readers, writer, room: Room::Quic(connection.clone()) })
}

async fn write_answers(mut stream: quinn::SendStream, mut answers: mpsc::Receiver<Message>) {
    while let Some(message) = answers.recv().await {
        if stream.write_all(&message.encode()).await.is_err() {
            return;
        }
    }
    drop(stream.finish());
    // What was said last must have arrived before the connection is closed.
    drop(stream.stopped().await);
}

async fn read_messages(mut stream: quinn::RecvStream, out: mpsc::Sender<Heard>) {
    let mut buffer = BytesMut::new();
    loop {
        let heard = match link::next_message(&mut buffer) {
            Ok(Some(message)) => Heard::Message(message),
            Ok(None) => match stream.read_chunk(wire::MESSAGE_BYTES_MAX, true).await {
                Ok(Some(chunk)) => {
                    buffer.extend_from_slice(&chunk.bytes);
                    continue;
                }
                Ok(None) | Err(_) => Heard::Gone,
            },
            Err(wrong) => Heard::Wrong(wrong),
        };
        let last = matches!(heard, Heard::Gone | Heard::Wrong(_));
        if out.send(heard).await.is_err() || last {
            return;
        }
    }
}

async fn read_lanes(connection: quinn::Connection, out: mpsc::Sender<Heard>) {
    let allowance = link::allowance();
    let mut lanes = JoinSet::new();
    while let Ok(stream) = connection.accept_uni().await {
        lanes.spawn(link::read_frames(LaneIn::Quic(stream), allowance.clone(), out.clone()));
        if lanes.len() > Lane::ALL.len() {
            drop(out.send(Heard::Wrong("too many streams".to_owned())).await);
            return;
        }
    }
}

/// A window of so many bytes.
pub(super) fn window(bytes: u32) -> VarInt {
    VarInt::from_u32(bytes)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    // Agents keep connections alive; the hub's part is to answer.
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        .receive_window(window(limits::ROOM_BYTES))
        .stream_receive_window(window(limits::ROOM_BYTES_GROWN))
        .send_window(SEND_WINDOW_BYTES)
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(Lane::ALL.len() as u32));
    transport
}
