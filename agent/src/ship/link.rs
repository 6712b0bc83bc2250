//! A connection to the hub as a session sees it, whatever carries it: messages both ways, and a queue for each lane.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use certus_protocol::ids::Lane;
use certus_protocol::message::{self, Decoded, Message};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::quic::{ConnectError, Connected};

/// Messages that wait, each way.
pub(super) const MESSAGES: usize = 16;
/// Groups of frames of a lane that wait for the connection; the group itself is bounded where it is read.
pub(super) const GROUPS: usize = 1;
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// QUIC, over UDP.
    Quic,
    /// TLS, over TCP.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "QUIC",
            Self::Tcp => "TLS over TCP",
        })
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Link {
    /// What carries it.
    pub transport: Transport,
    /// To the hub.
    pub control: mpsc::Sender<Message>,
    /// From the hub; an error is the last.
    pub messages: mpsc::Receiver<Result<Message, ConnectError>>,
    /// Frames to the hub, in groups.
    pub lanes: BTreeMap<Lane, mpsc::Sender<Vec<Bytes>>>,
    /// Read messages and write lanes.
    pub(super) tasks: JoinSet<()>,
    /// Ends when `control` is closed and everything was written.
    pub(super) writer: JoinSet<()>,
    /// What QUIC needs to live; TCP lives in the tasks.
    pub(super) quic: Option<Connected>,
}

/// What a QUIC connection counts; TCP keeps its own to itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Packets sent.
    pub sent: u64,
    /// Those that were lost.
    pub lost: u64,
    /// Datagrams that came.
    pub received: u64,
}

impl Link {
    /// Says something.
    ///
    /// # Errors
    /// The connection is gone; `messages` says why.
    pub async fn say(&self, message: Message) -> Result<(), ConnectError> {
        let lost = |_| ConnectError::Lost("it was closed".to_owned());
        self.control.send(message).await.map_err(lost)
    }

    /// How the connection fares; `None` where only the system knows.
    pub fn health(&self) -> Option<Health> {
        let stats = self.quic.as_ref()?.connection.stats();
        Some(Health {
            sent: stats.path.sent_packets,
            lost: stats.path.lost_packets,
            received: stats.udp_rx.datagrams,
        })
    }

    /// Ends it; what was said last leaves before.
    pub async fn close(self) {
        let Self { control, mut writer, mut tasks, quic, .. } = self;
        drop(control);
        drop(tokio::time::timeout(FAREWELL, writer.join_next()).await);
        tasks.shutdown().await;
        if let Some(quic) = quic {
            quic.close().await;
        }
    }
}

/// The next message of the control stream's bytes, if it is all there.
pub(super) fn next_message(buffer: &mut BytesMut) -> Result<Option<Message>, ConnectError> {
    let wrong = |error: message::MessageError| {
        ConnectError::Lost(format!("the hub sent what is no message: {error}"))
    };
    loop {
        match message::decode(buffer).map_err(wrong)? {
            Decoded::Message(message, used) => {
                buffer.advance(used);
                return Ok(Some(message));
            }
            Decoded::Ignored(used) => buffer.advance(used),
            Decoded::Need(_) => return Ok(None),
        }
    }
}
