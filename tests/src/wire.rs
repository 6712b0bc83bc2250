//! An agent's side of a session by hand, to say what a real agent never would.

use std::sync::Arc;

use anyhow::Result;
use certus_agent::identity::Identity;
use certus_agent::ship::pace::Pace;
use certus_agent::ship::quic;
use certus_protocol::frame::{self, BodyV1, Place};
use certus_protocol::ids::{ContentHash, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_protocol::message::{self, Hello, Message};

use crate::hub::Hub;

const KEY: KeyId = KeyId([1; 8]);
const POLICY: PolicyHash = PolicyHash([2; 16]);

/// The place of the first frame of an agent.
pub fn first_frame(identity: &Identity) -> Place {
    Place {
        tenant: identity.tenant.clone(),
        agent: identity.agent,
        epoch: Epoch::FIRST,
        lane: Lane::Bulk,
        seq: Seq(1),
        through: Seq(1),
        source: SourceId([3; 16]),
        key_id: KEY,
        policy: POLICY,
        previous: ContentHash([0; 32]),
    }
}

/// Opens a session as `identity`, sends one frame, and answers what the hub says until it acknowledges or ends the
/// session.
///
/// # Errors
/// The connection's.
pub async fn send(identity: &Identity, hub: &Hub, place: Place, body: &BodyV1) -> Result<Vec<Message>> {
    let address = format!("localhost:{}", hub.quic);
    let mut link = quic::open(&address, quic::session_tls(identity)?, Arc::new(Pace::new(None))).await?;
    let hello = Message::Hello(Hello {
        wire_min: message::WIRE_VERSION_MIN,
        wire_max: message::WIRE_VERSION_MAX,
        agent: identity.agent,
        tenant: identity.tenant.to_string(),
        epoch: place.epoch,
        key_id: KEY,
        policy: POLICY,
        program: "by hand".to_owned(),
        now_ms: 0,
    });
    link.say(hello).await?;
    let packed = frame::pack(place, body)?;
    let mut said = Vec::new();
    while let Some(Ok(message)) = link.messages.recv().await {
        if matches!(message, Message::Welcome(_)) {
            link.lanes[&Lane::Bulk].send(vec![packed.bytes.clone().into()]).await?;
        }
        let last = matches!(message, Message::Ack(_) | Message::Goodbye(_));
        said.push(message);
        if last {
            break;
        }
    }
    link.close().await;
    Ok(said)
}
