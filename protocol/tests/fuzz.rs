//! Hostile bytes into every decoder: no panic, no allocation past the limits, and what is accepted is within them.
//!
//! `cargo test` runs a bounded count; `cargo bolero test NAME` searches on, guided by coverage.

use bolero::check;
use certus_protocol::bundle;
use certus_protocol::enroll::{EnrollAnswer, EnrollRequest, JoinToken};
use certus_protocol::envelope::{BodyV1 as Envelope, EnvelopeV1};
use certus_protocol::frame::{self, BodyV1, FrameError, HEADER_BYTES, Header, Place};
use certus_protocol::ids::{AgentId, ContentHash, DocumentId, Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_protocol::ledger::Chain;
use certus_protocol::message::{self, Decoded};
use certus_protocol::mux::{self, Record};

const ITERATIONS: usize = 20_000;

#[test]
fn frame_open() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        if let Ok((header, _)) = frame::open(bytes) {
            assert!(header.frame_bytes() <= bytes.len());
        }
    });
}

/// With the checks of integrity made to hold, so that what lies behind them is reached: any body, and a valid one
/// with some bytes changed.
#[test]
fn frame_open_behind_the_hashes() {
    let path = "some/path".to_owned();
    let envelope = EnvelopeV1 { document: DocumentId([4; 16]), body: Envelope::Tombstone { path } };
    let part = EnvelopeV1 {
        document: DocumentId([4; 16]),
        body: Envelope::Part { attempt: Seq(1), index: 0, content: vec![7; 300] },
    };
    let valid = BodyV1::Data { source_name: "docs".to_owned(), envelopes: vec![envelope, part] };
    let valid = frame::pack(place(), &valid).expect("within the limits");
    let raw = zstd::bulk::decompress(&valid.bytes[HEADER_BYTES..], 4096).expect("a zstd frame");
    check!().with_iterations(ITERATIONS).with_max_len(4096).for_each(|bytes: &[u8]| {
        open_with_body(&valid.header, bytes);
        let mut changed = raw.clone();
        for change in bytes.chunks_exact(3).take(8) {
            let at = usize::from(change[0]) * 256 + usize::from(change[1]);
            let at = at % changed.len();
            changed[at] = change[2];
        }
        open_with_body(&valid.header, &changed);
    });
}

fn open_with_body(header: &Header, body: &[u8]) {
    let encoded = zstd::bulk::compress(body, 1).expect("compresses");
    let header = Header {
        raw_bytes: body.len() as u32,
        encoded_bytes: encoded.len() as u32,
        body_hash: ContentHash::of(&encoded),
        ..header.clone()
    };
    let frame = [&header.to_bytes()[..], &encoded].concat();
    match frame::open(&frame) {
        Ok((header, _)) => assert_eq!(header.frame_bytes(), frame.len()),
        Err(error) => assert!(!matches!(error, FrameError::BodyHash | FrameError::Checksum)),
    }
}

fn place() -> Place {
    Place {
        tenant: "acme".parse().expect("valid"),
        agent: AgentId([1; 16]),
        epoch: Epoch(1),
        lane: Lane::Bulk,
        seq: Seq(1),
        through: Seq(1),
        source: SourceId([3; 16]),
        key_id: KeyId([7; 8]),
        policy: PolicyHash([8; 16]),
        previous: ContentHash([0; 32]),
    }
}

#[test]
fn header_parse() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        if let Ok(header) = Header::parse(bytes) {
            assert_eq!(header.to_bytes()[..], bytes[..HEADER_BYTES]);
        }
    });
}

#[test]
fn message_decode() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        match message::decode(bytes) {
            Ok(Decoded::Message(message, used)) => {
                assert!(used <= bytes.len());
                assert!(matches!(message::decode(&message.encode()), Ok(Decoded::Message(again, _)) if again == message));
            }
            Ok(Decoded::Ignored(used)) => assert!(used <= bytes.len()),
            Ok(Decoded::Need(need)) => assert!(need > bytes.len()),
            Err(_) => {}
        }
    });
}

#[test]
fn records() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        let Ok(Some((record, used))) = mux::parse(bytes) else { return };
        let mut again = Vec::new();
        match record {
            Record::Control(content) => mux::put_control(content, &mut again),
            Record::Lane(lane, content) => mux::put_lane(lane, content, &mut again),
            Record::Room(lane, more) => mux::put_room(lane, more, &mut again),
        }
        assert_eq!(again, bytes[..used]);
    });
}

#[test]
fn message_bodies() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        let Some((tag, body)) = bytes.split_first() else { return };
        let content = [&[tag % 8, 0], body].concat();
        let framed = [&(content.len() as u32).to_le_bytes()[..], &content].concat();
        drop(message::decode(&framed));
    });
}

#[test]
fn enrolment() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        drop(EnrollRequest::decode(bytes));
        drop(EnrollAnswer::decode(bytes));
        drop(String::from_utf8_lossy(bytes).parse::<JoinToken>());
    });
}

#[test]
fn ledger_line() {
    check!().with_iterations(ITERATIONS).with_max_len(1024).for_each(|bytes: &[u8]| {
        drop(Chain::default().check(&String::from_utf8_lossy(bytes)));
    });
}

#[test]
fn bundle_read() {
    check!().with_iterations(ITERATIONS).with_max_len(4096).for_each(|bytes: &[u8]| {
        let mut reader = bundle::Reader::default();
        let mut left = [&bundle::MAGIC[..], bytes].concat();
        while reader.need() > 0 && reader.need() <= left.len() {
            let rest = left.split_off(reader.need());
            if reader.feed(&left).is_err() {
                return;
            }
            left = rest;
        }
    });
}
