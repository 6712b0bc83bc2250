//! A connection as a session sees it, whatever carries it: what the agent says, its frames among it, and a way to
//! answer. What a peer may make the hub hold stands here: bytes are reserved before a frame is allocated.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use certus_protocol::frame::{self, HEADER_BYTES, Header};
use certus_protocol::ids::ContentHash;
use certus_protocol::message::{self, Decoded, Message};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{quic, tcp};
use crate::limits;

/// An agent that takes no answer for so long is gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// A frame that came, and its share of what the connection may hold.
pub(super) struct Frame {
    pub(super) header: Header,
    pub(super) hash: ContentHash,
    pub(super) bytes: Bytes,
    pub(super) held: OwnedSemaphorePermit,
}

/// What comes from an agent.
pub(super) enum Heard {
    Message(Message),
    Frame(Frame),
    /// What came is not of the protocol.
    Wrong(String),
    /// The agent closed the connection, or it was lost.
    Gone,
}

/// An open connection.
pub(super) struct Link {
    pub(super) heard: mpsc::Receiver<Heard>,
    pub(super) answers: mpsc::Sender<Message>,
    /// End with the connection.
    pub(super) readers: JoinSet<()>,
    /// Ends when `answers` is closed and everything was written.
    pub(super) writer: JoinSet<()>,
    pub(super) room: Room,
}

/// Who can let an agent send more at once.
pub(super) enum Room {
    Quic(quinn::Connection),
    Tcp(Arc<tcp::Rooms>),
}

/// Where a lane's bytes come from.
pub(super) enum LaneIn {
    Quic(quinn::RecvStream),
    Tcp(Arc<tcp::Pipe>),
}

impl Link {
    /// Says something.
    ///
    /// # Errors
    /// The connection is gone, or the agent takes no answers.
    pub(super) async fn say(&self, message: Message) -> Result<(), String> {
        match tokio::time::timeout(ANSWER_TIMEOUT, self.answers.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("the connection was lost".to_owned()),
            Err(_) => Err("the agent takes no answers".to_owned()),
        }
    }

    /// An agent that was seen to send what can be stored may have more under way at once: long ways need it.
    pub(super) fn grow(&self) {
        match &self.room {
            Room::Quic(connection) => connection.set_receive_window(quic::window(limits::ROOM_BYTES_GROWN)),
            Room::Tcp(rooms) => rooms.grow(),
        }
    }

    /// Ends it; what was said last leaves before.
    pub(super) async fn close(self) {
        let Self { answers, mut readers, mut writer, .. } = self;
        readers.shutdown().await;
        drop(answers);
        drop(tokio::time::timeout(FAREWELL, writer.join_next()).await);
    }
}

impl LaneIn {
    /// Fills `out`; `false` where the connection ended before.
    async fn fill(&mut self, out: &mut [u8]) -> bool {
        match self {
            Self::Quic(stream) => stream.read_exact(out).await.is_ok(),
            Self::Tcp(pipe) => pipe.fill(out).await,
        }
    }
}

/// What a connection's frames may take in memory, from their headers to the store's answer.
pub(super) fn allowance() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limits::SESSION_FRAME_BYTES))
}

/// The next message of the control stream's bytes, if it is all there.
pub(super) fn next_message(buffer: &mut BytesMut) -> Result<Option<Message>, String> {
    loop {
        match message::decode(buffer).map_err(|error| error.to_string())? {
            Decoded::Message(message, used) => {
                buffer.advance(used);
                return Ok(Some(message));
            }
            Decoded::Ignored(used) => buffer.advance(used),
            Decoded::Need(_) => return Ok(None),
        }
    }
}

/// Hands on a lane's frames until it ends.
pub(super) async fn read_frames(mut lane: LaneIn, allowance: Arc<Semaphore>, out: mpsc::Sender<Heard>) {
    loop {
        let heard = match read_frame(&mut lane, &allowance).await {
            Ok(Some(frame)) => Heard::Frame(frame),
            Ok(None) => return,
            Err(what) => Heard::Wrong(what),
        };
        let last = matches!(heard, Heard::Wrong(_));
        if out.send(heard).await.is_err() || last {
            return;
        }
    }
}

/// The next frame; `None` where the stream ends or the connection is lost between or in frames.
async fn read_frame(lane: &mut LaneIn, allowance: &Arc<Semaphore>) -> Result<Option<Frame>, String> {
    let mut head = [0; HEADER_BYTES];
    if !lane.fill(&mut head).await {
        return Ok(None);
    }
    // The lengths are checked here, before anything is allocated.
    let header = Header::parse(&head).map_err(|error| error.to_string())?;
    let length = header.frame_bytes();
    let held =
        allowance.clone().acquire_many_owned(length as u32).await.map_err(|error| error.to_string())?;
    let mut bytes = BytesMut::zeroed(length);
    bytes[..HEADER_BYTES].copy_from_slice(&head);
    if !lane.fill(&mut bytes[HEADER_BYTES..]).await {
        return Ok(None);
    }
    frame::split(&bytes).map_err(|error| error.to_string())?;
    Ok(Some(Frame { header, hash: frame::hash(&head), bytes: bytes.freeze(), held }))
}
