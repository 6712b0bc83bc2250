//! A session over TLS on TCP, for networks that let no UDP through: the same messages and frames, in the records of
//! `certus_protocol::mux`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use certus_protocol::ids::Lane;
use certus_protocol::limits as wire;
use certus_protocol::message::{ALPN_ENROLL, Message};
use certus_protocol::mux::{self, MuxError, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::link::{self, Heard, LaneIn, Link, Room};
use super::{Receive, quic, session};
use crate::authority::Authority;
use crate::limits;

/// Agents say that they are there three times as often.
const SILENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 << 10;

/// A lane's bytes between the connection and who makes frames of them; never more than there was room for.
#[derive(Default)]
pub(super) struct Pipe {
    waiting: Mutex<Waiting>,
    more: Notify,
    rooms: Arc<Rooms>,
    lane: usize,
}

#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    ended: bool,
}

/// What both lanes may be sent, and what is to be told of it.
#[derive(Default)]
pub(super) struct Rooms {
    /// All room given so far, by lane; what came is held against it.
    given: [AtomicU64; Lane::ALL.len()],
    /// Taken and not given again yet.
    owed: [AtomicU32; Lane::ALL.len()],
    /// The agent asked whether the hub is there.
    asked: AtomicU32,
    news: Notify,
}

impl Rooms {
    fn take(&self, lane: usize, bytes: usize) {
        let before = self.owed[lane].fetch_add(bytes as u32, Ordering::SeqCst);
        if before + bytes as u32 >= wire::LANE_ROOM_BYTES / 4 {
            self.news.notify_one();
        }
    }

    /// Lets both lanes have more under way from now on.
    pub(super) fn grow(&self) {
        for lane in Lane::ALL {
            self.take(lane as usize, limits::ROOM_BYTES_GROWN as usize - wire::LANE_ROOM_BYTES as usize);
        }
    }

    fn put_news(&self, out: &mut Vec<u8>) {
        if self.asked.swap(0, Ordering::SeqCst) > 0 {
            mux::put_control(&[], out);
        }
        for lane in Lane::ALL {
            let more = self.owed[lane as usize].swap(0, Ordering::SeqCst);
            if more > 0 {
                self.given[lane as usize].fetch_add(u64::from(more), Ordering::SeqCst);
                mux::put_room(lane, more, out);
            }
        }
    }
}

impl Pipe {
    fn push(&self, bytes: &[u8]) {
        self.waiting().bytes.extend_from_slice(bytes);
        self.more.notify_one();
    }

    fn end(&self) {
        self.waiting().ended = true;
        self.more.notify_one();
    }

    /// Fills `out`; `false` where the connection ended before.
    pub(super) async fn fill(&self, out: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < out.len() {
            let (taken, ended) = {
                let mut waiting = self.waiting();
                let taken = waiting.bytes.len().min(out.len() - filled);
                waiting.bytes.copy_to_slice(&mut out[filled..filled + taken]);
                if waiting.bytes.is_empty() {
                    // An idle lane holds no memory.
                    waiting.bytes = BytesMut::new();
                }
                (taken, waiting.ended)
            };
            filled += taken;
            if taken > 0 {
                self.rooms.take(self.lane, taken);
            } else if ended {
                return false;
            } else {
                self.more.notified().await;
            }
        }
        true
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves an agent whose handshake is done, to the end of its session or enrolment.
pub async fn serve(
    stream: TlsStream<TcpStream>,
    receive: &Receive,
    authority: &Authority,
    stop: CancellationToken,
) {
    let Ok(remote) = stream.get_ref().0.peer_addr() else { return };
    if stream.get_ref().1.alpn_protocol() == Some(ALPN_ENROLL) {
        let (read, write) = tokio::io::split(stream);
        let exchange = quic::enroll(write, read, authority);
        quic::enrolled(tokio::time::timeout(quic::ENROLL_TIMEOUT, exchange).await, remote);
        return;
    }
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let Some(peer) = leaf.and_then(|leaf| authority.peer_of(leaf)) else {
        receive.metrics.connection_refused();
        tracing::info!(peer.address = %remote, "a connection without an agent's certificate was refused");
        return;
    };
    if let Err(error) = session::run(receive, open(stream), peer, stop).await {
        tracing::info!(peer.address = %remote, %error, "a session was lost");
    }
}

/// The link of a connection whose peer is known.
fn open(stream: TlsStream<TcpStream>) -> Link {
    let (read, write) = tokio::io::split(stream);
    let (heard_in, heard) = mpsc::channel(limits::SESSION_QUEUE_FRAMES);
    let (answers, answers_out) = mpsc::channel(limits::SESSION_QUEUE_ANSWERS);
    let rooms = Arc::new(Rooms::default());
    rooms.given.iter().for_each(|given| given.store(u64::from(wire::LANE_ROOM_BYTES), Ordering::SeqCst));
    let allowance = link::allowance();
    let (mut readers, mut writer) = (JoinSet::new(), JoinSet::new());
    let pipes = Lane::ALL.map(|lane| {
        let pipe = Arc::new(Pipe { rooms: rooms.clone(), lane: lane as usize, ..Pipe::default() });
        readers.spawn(link::read_frames(LaneIn::Tcp(pipe.clone()), allowance.clone(), heard_in.clone()));
        pipe
    });
    let told = rooms.clone();
    readers.spawn(async move {
        let last = read_records(read, &pipes, &told, &heard_in).await;
        pipes.iter().for_each(|pipe| pipe.end());
        // Nobody listens any more where the session ended first.
        drop(heard_in.send(last).await);
    });
    writer.spawn(write_answers(write, answers_out, rooms.clone()));
    Link { heard, answers, readers, writer, room: Room::Tcp(rooms) }
}

/// Hands on what comes until the connection ends, and says how it did.
async fn read_records(
    mut stream: ReadHalf<TlsStream<TcpStream>>,
    pipes: &[Arc<Pipe>],
    rooms: &Rooms,
    heard: &mpsc::Sender<Heard>,
) -> Heard {
    let (mut buffer, mut control) = (BytesMut::new(), BytesMut::new());
    let mut came = [0; Lane::ALL.len()];
    loop {
        let used = match mux::parse(&buffer) {
            Ok(Some((record, used))) => {
                if let Err(wrong) = hand_on(record, &mut came, (pipes, rooms, &mut control)) {
                    return Heard::Wrong(wrong.to_string());
                }
                used
            }
            Ok(None) => {
                buffer.reserve(READ_BYTES);
                match tokio::time::timeout(SILENCE, stream.read_buf(&mut buffer)).await {
                    Ok(Ok(1..)) => continue,
                    _ => return Heard::Gone,
                }
            }
            Err(wrong) => return Heard::Wrong(wrong.to_string()),
        };
        buffer.advance(used);
        loop {
            match link::next_message(&mut control) {
                Ok(Some(message)) => {
                    if heard.send(Heard::Message(message)).await.is_err() {
                        return Heard::Gone;
                    }
                }
                Ok(None) => break,
                Err(wrong) => return Heard::Wrong(wrong),
            }
        }
    }
}

fn hand_on(
    record: Record<'_>,
    came: &mut [u64],
    (pipes, rooms, control): (&[Arc<Pipe>], &Rooms, &mut BytesMut),
) -> Result<(), MuxError> {
    match record {
        Record::Control([]) => {
            rooms.asked.store(1, Ordering::SeqCst);
            rooms.news.notify_one();
        }
        Record::Control(bytes) => control.extend_from_slice(bytes),
        Record::Lane(lane, bytes) => {
            came[lane as usize] += bytes.len() as u64;
            if came[lane as usize] > rooms.given[lane as usize].load(Ordering::SeqCst) {
                return Err(MuxError::Room(lane));
            }
            pipes[lane as usize].push(bytes);
        }
        // The hub sends no frames, so that room for them says nothing to it.
        Record::Room(..) => {}
    }
    Ok(())
}

async fn write_answers(
    mut stream: WriteHalf<TlsStream<TcpStream>>,
    mut answers: mpsc::Receiver<Message>,
    rooms: Arc<Rooms>,
) {
    let mut out = Vec::new();
    let mut open = true;
    while open {
        tokio::select! {
            answer = answers.recv() => match answer {
                Some(message) => mux::put_control(&message.encode(), &mut out),
                None => open = false,
            },
            () = rooms.news.notified() => rooms.put_news(&mut out),
        }
        while let Ok(message) = answers.try_recv() {
            mux::put_control(&message.encode(), &mut out);
        }
        let written = async {
            stream.write_all(&out).await?;
            stream.flush().await
        };
        if written.await.is_err() {
            return;
        }
        out = Vec::new();
    }
    // Whoever is gone need not be told.
    drop(stream.shutdown().await);
}
