//! The TCP ports: agents and callers on one, told apart by ALPN before anybody is asked for a certificate; and, where it is
//! configured, the API as plain HTTP on loopback. UDP is `receive::quic`'s.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use certus_protocol::message::{ALPN_ENROLL, ALPN_SESSION};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;

use crate::api::serve::Http;
use crate::authority::Authority;
use crate::limits;
use crate::receive::quic::ListenError;
use crate::receive::{Receive, tcp};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connections may take to end when the hub stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What is behind a port.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there are two of them")]
pub enum Door {
    /// Agents and callers, by TLS.
    Tls(Arc<Tls>),
    /// Callers, in plain text; for loopback.
    Plain(Http),
}

/// What is behind a port with TLS.
pub struct Tls {
    /// What agents are shown and asked for.
    pub agents: Arc<ServerConfig>,
    /// What callers are shown.
    pub callers: Arc<ServerConfig>,
    /// Where agents' frames go.
    pub receive: Receive,
    /// Who says who is an agent.
    pub authority: Arc<Authority>,
    /// Where callers' requests go.
    pub http: Http,
}

/// A handshake under way, or done.
type Handshake = (AbortHandle, Arc<AtomicBool>);

/// Binds a port.
///
/// # Errors
/// See [`ListenError`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|cause| ListenError::Bind { address, protocol: "TCP", cause })
}

/// Serves what comes until `stop`, then lets it end for a while.
pub async fn run(listener: TcpListener, door: Door, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut handshakes: VecDeque<Handshake> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(done) = connections.join_next(), if !connections.is_empty() => {
                tell(done);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) if connections.len() < limits::AGENTS_MAX => stream,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let shaken = Arc::new(AtomicBool::new(false));
        let task = connections.spawn(serve(stream, door.clone(), shaken.clone(), stop.clone()));
        handshakes.push_back((task, shaken));
        while handshakes.front().is_some_and(|(task, shaken)| done(task, shaken)) {
            handshakes.pop_front();
        }
        if handshakes.len() > limits::HANDSHAKES_MAX {
            make_room(&mut handshakes);
        }
    }
    drop(listener);
    let ends = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, ends).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
    connections.shutdown().await;
}

fn done(task: &AbortHandle, shaken: &AtomicBool) -> bool {
    shaken.load(Ordering::SeqCst) || task.is_finished()
}

/// Forgets handshakes that are done; where none is, the oldest gives way: a slow one is no honest one's matter.
fn make_room(handshakes: &mut VecDeque<Handshake>) {
    handshakes.retain(|(task, shaken)| !done(task, shaken));
    if handshakes.len() > limits::HANDSHAKES_MAX
        && let Some((oldest, _)) = handshakes.pop_front()
    {
        oldest.abort();
    }
}

fn tell(done: Result<(), tokio::task::JoinError>) {
    match done {
        Err(error) if !error.is_cancelled() => tracing::error!(%error, "a connection's task failed"),
        _ => {}
    }
}

async fn serve(stream: TcpStream, door: Door, shaken: Arc<AtomicBool>, stop: CancellationToken) {
    // Small records must not wait for each other; without the option they only do so.
    drop(stream.set_nodelay(true));
    let tls = match door {
        Door::Plain(http) => {
            shaken.store(true, Ordering::SeqCst);
            return http.serve(stream, &stop).await;
        }
        Door::Tls(tls) => tls,
    };
    let handshake = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let agent = start.client_hello().alpn().is_some_and(|mut offered| {
            offered.any(|protocol| [ALPN_SESSION, ALPN_ENROLL].contains(&protocol))
        });
        let config = if agent { &tls.agents } else { &tls.callers };
        start.into_stream(config.clone()).await.map(|stream| (agent, stream))
    };
    let shook = tokio::select! {
        () = stop.cancelled() => return,
        shook = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => shook,
    };
    let Ok(Ok((agent, stream))) = shook else {
        tls.receive.metrics.connection_refused();
        return;
    };
    shaken.store(true, Ordering::SeqCst);
    if agent {
        tcp::serve(stream, &tls.receive, &tls.authority, stop).await;
    } else {
        tls.http.serve(stream, &stop).await;
    }
}
