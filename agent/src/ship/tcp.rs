//! TLS over TCP, for networks that let no UDP through: the same messages and frames as over QUIC, in the records of
//! `certus_protocol::mux`. A hub that says nothing for too long is gone, whatever the system believes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use certus_protocol::ids::Lane;
use certus_protocol::limits;
use certus_protocol::message::{ALPN_SESSION, Message};
use certus_protocol::mux::{self, Record, Turns};
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::link::{self, Link, Transport};
use super::pace::Pace;
use super::quic::ConnectError;
use super::route::Route;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The hub answers every sign of life; three are missed.
const SILENCE: Duration = Duration::from_secs(30);
/// What waits in the system for the network, so that the interactive lane need not wait long behind bulk.
const UNSENT_BYTES: u32 = 128 << 10;
/// Records that are encrypted together, in bytes.
const WRITE_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 16 << 10;

/// A connection whose handshake is done.
pub type Stream = TlsStream<TcpStream>;

/// What may be sent in each lane, all in all.
#[derive(Default)]
struct Rooms {
    given: [AtomicU64; Lane::ALL.len()],
    news: Notify,
}

/// Connects to the hub, over the proxy where there is one.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(
    route: &Route,
    mut tls: rustls::ClientConfig,
    alpn: &[u8],
) -> Result<Stream, ConnectError> {
    tls.alpn_protocols = vec![alpn.to_vec()];
    let hub = route.tcp_address();
    let failed = |error: &dyn std::fmt::Display| ConnectError::unreachable(&hub, &error.to_string());
    let name = ServerName::try_from(route.host().to_owned()).map_err(|error| failed(&error))?;
    let connecting = async {
        let stream = route.dial(&hub).await?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        // Where the system does not know the option, more waits in its buffer.
        drop(socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES));
        TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(|error| read(&hub, &error))
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(failed(&"nothing answered in time")),
    }
}

/// Opens what a session needs on a new connection.
///
/// # Errors
/// See [`ConnectError`].
pub async fn open(route: &Route, tls: rustls::ClientConfig, pace: Arc<Pace>) -> Result<Link, ConnectError> {
    let stream = connect(route, tls, ALPN_SESSION).await?;
    let (reading, writing) = tokio::io::split(stream);
    let rooms = Arc::new(Rooms::default());
    rooms.given.iter().for_each(|given| given.store(u64::from(limits::LANE_ROOM_BYTES), Ordering::SeqCst));
    let (mut tasks, mut writer) = (JoinSet::new(), JoinSet::new());
    let mut lanes = BTreeMap::new();
    let chunks = Lane::ALL.map(|lane| {
        let (sender, groups) = mpsc::channel(link::GROUPS);
        lanes.insert(lane, sender);
        let (chunks_in, chunks) = mpsc::channel(1);
        tasks.spawn(feed(lane, groups, pace.clone(), chunks_in));
        chunks
    });
    let (messages_in, messages) = mpsc::channel(link::MESSAGES);
    tasks.spawn(read_records(reading, route.tcp_address(), rooms.clone(), messages_in));
    let (control, says) = mpsc::channel(link::MESSAGES);
    let out = Out { chunks, waiting: Default::default(), used: Default::default(), rooms, bytes: Vec::new() };
    writer.spawn(async move {
        if let Err(error) = write_records(writing, says, out).await {
            tracing::debug!(%error, "the connection's writer ended");
        }
    });
    Ok(Link { transport: Transport::Tcp, control, messages, lanes, tasks, writer, quic: None })
}

/// Reads what went wrong in TLS or below; alerts tell more than their texts.
fn read(hub: &str, error: &io::Error) -> ConnectError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let text = error.to_string();
    let known = match tls {
        Some(rustls::Error::InvalidCertificate(wrong)) => Some(match wrong {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                ConnectError::WrongName(hub.to_owned())
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => ConnectError::Clock(hub.to_owned()),
            _ => ConnectError::WrongCa(hub.to_owned()),
        }),
        Some(rustls::Error::AlertReceived(alert)) => {
            ConnectError::from_alert(hub, u8::from(*alert), false, &text)
        }
        _ => None,
    };
    known.unwrap_or_else(|| ConnectError::unreachable(hub, &text))
}

async fn feed(
    lane: Lane,
    mut groups: mpsc::Receiver<Vec<Bytes>>,
    pace: Arc<Pace>,
    chunks: mpsc::Sender<Bytes>,
) {
    while let Some(group) = groups.recv().await {
        for mut frame in group {
            while !frame.is_empty() {
                if chunks.send(pace.take(lane, &mut frame).await).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// What waits to be written.
struct Out {
    chunks: [mpsc::Receiver<Bytes>; Lane::ALL.len()],
    waiting: [Bytes; Lane::ALL.len()],
    used: [u64; Lane::ALL.len()],
    rooms: Arc<Rooms>,
    bytes: Vec<u8>,
}

impl Out {
    fn room(&self, lane: usize) -> usize {
        let given = self.rooms.given[lane].load(Ordering::SeqCst);
        usize::try_from(given.saturating_sub(self.used[lane])).unwrap_or(usize::MAX)
    }

    /// Fills up with records of both lanes, in turn, as far as there is room.
    fn fill(&mut self, turns: &mut Turns) {
        while self.bytes.len() < WRITE_BYTES {
            for (waiting, chunks) in self.waiting.iter_mut().zip(&mut self.chunks) {
                if waiting.is_empty()
                    && let Ok(chunk) = chunks.try_recv()
                {
                    *waiting = chunk;
                }
            }
            let can = |lane: Lane| !self.waiting[lane as usize].is_empty() && self.room(lane as usize) > 0;
            let Some(lane) = turns.next(can) else { return };
            let at = lane as usize;
            let length = self.waiting[at].len().min(self.room(at)).min(limits::RECORD_BYTES_MAX);
            mux::put_lane(lane, &self.waiting[at].split_to(length), &mut self.bytes);
            self.used[at] += length as u64;
        }
    }
}

async fn write_records(
    mut stream: WriteHalf<Stream>,
    mut says: mpsc::Receiver<Message>,
    mut out: Out,
) -> io::Result<()> {
    let mut turns = Turns::default();
    let mut due = Instant::now() + KEEP_ALIVE;
    loop {
        if Instant::now() >= due {
            mux::put_control(&[], &mut out.bytes);
            due = Instant::now() + KEEP_ALIVE;
        }
        while let Ok(message) = says.try_recv() {
            mux::put_control(&message.encode(), &mut out.bytes);
        }
        out.fill(&mut turns);
        if !out.bytes.is_empty() {
            stream.write_all(&out.bytes).await?;
            stream.flush().await?;
            out.bytes.clear();
            continue;
        }
        let empty = out.waiting.each_ref().map(Bytes::is_empty);
        let Out { chunks: [first, second], waiting, rooms, bytes, .. } = &mut out;
        tokio::select! {
            said = says.recv() => match said {
                Some(message) => mux::put_control(&message.encode(), bytes),
                None => return stream.shutdown().await,
            },
            Some(chunk) = first.recv(), if empty[0] => waiting[0] = chunk,
            Some(chunk) = second.recv(), if empty[1] => waiting[1] = chunk,
            () = rooms.news.notified() => {}
            () = tokio::time::sleep_until(due) => {}
        }
    }
}

async fn read_records(
    mut stream: ReadHalf<Stream>,
    hub: String,
    rooms: Arc<Rooms>,
    out: mpsc::Sender<Result<Message, ConnectError>>,
) {
    let (mut buffer, mut control) = (BytesMut::new(), BytesMut::new());
    loop {
        let outcome = match link::next_message(&mut control) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => match read_more(&mut stream, &mut buffer, &mut control, &rooms).await {
                Ok(()) => continue,
                Err(error) => Err(match read(&hub, &error) {
                    ConnectError::Unreachable { cause, .. } => ConnectError::Lost(cause),
                    verdict => verdict,
                }),
            },
            Err(error) => Err(error),
        };
        let failed = outcome.is_err();
        if out.send(outcome).await.is_err() || failed {
            return;
        }
    }
}

/// Reads on until there is more of the control stream.
async fn read_more(
    stream: &mut ReadHalf<Stream>,
    buffer: &mut BytesMut,
    control: &mut BytesMut,
    rooms: &Rooms,
) -> io::Result<()> {
    loop {
        match mux::parse(buffer).map_err(io::Error::other)? {
            Some((record, used)) => {
                match record {
                    Record::Control(bytes) => control.extend_from_slice(bytes),
                    Record::Room(lane, more) => {
                        rooms.given[lane as usize].fetch_add(u64::from(more), Ordering::SeqCst);
                        rooms.news.notify_one();
                    }
                    Record::Lane(..) => return Err(io::Error::other("the hub sent frames")),
                }
                buffer.advance(used);
                if !control.is_empty() {
                    return Ok(());
                }
            }
            None => {
                buffer.reserve(READ_BYTES);
                match tokio::time::timeout(SILENCE, stream.read_buf(buffer)).await {
                    Ok(Ok(0)) => return Err(io::Error::other("the hub closed it")),
                    Ok(read) => drop(read?),
                    Err(_) => return Err(io::Error::other("the hub was silent for too long")),
                }
            }
        }
    }
}
