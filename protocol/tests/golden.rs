//! Bytes that must never change: format version 1 of frame, messages, ledger, receipt and bundle, pinned by hash and, for
//! the header, by offset. A failure here means that stored frames could no longer be read.

use certus_protocol::bundle::{self, BundleError, Head, Item, Reader, Trailer, Writer};
use certus_protocol::enroll::{EnrollAnswer, EnrollRequest, JoinToken};
use certus_protocol::envelope::{
    BodyV1 as Envelope, EnvelopeV1, KeptV1, RedactionCountV1, ResourceKind, ResourceV1,
};
use certus_protocol::frame::{self, BodyV1, FrameError, Packed, Place};
use certus_protocol::ids::{
    AgentId, ContentHash, DocumentId, Epoch, Generation, KeyId, Lane, PolicyHash, ReceiptKey, Seq, Signature,
    SourceId, Tenant, Version,
};
use certus_protocol::ledger::{Chain, ChainError, Event, FrameRow, ResourceRow, What};
use certus_protocol::limits;
use certus_protocol::message::{
    self, Ack, Credit, Decoded, Goodbye, GoodbyeReason, Hello, LaneResume, LedgerReport, Message,
    MessageError, Nack, NackReason, Policy, Welcome,
};
use certus_protocol::mux::{self, MuxError, Turns};
use certus_protocol::receipt::{LedgerHead, Receipt, Statement};

fn resource() -> ResourceV1 {
    ResourceV1 {
        kind: ResourceKind::File,
        path: "docs/read me.md".to_owned(),
        reference: String::new(),
        media_type: "text/markdown".to_owned(),
        language: "markdown".to_owned(),
        size: 5,
        hash: ContentHash::of(b"hello"),
        modified_ms: Some(1_700_000_000_000),
        attributes: vec![("author".to_owned(), "REDACTED_NAME_0".to_owned())],
        redactions: vec![RedactionCountV1 {
            rule: "email".to_owned(),
            type_name: "EMAIL".to_owned(),
            count: 2,
        }],
        kept: vec![KeptV1 { start: 1, end: 3, rule: "ipv4".to_owned(), reason: "public".to_owned() }],
        profile: "high-recall".to_owned(),
    }
}

fn envelopes() -> Vec<EnvelopeV1> {
    let bodies = [
        Envelope::Whole { resource: resource(), content: b"hello".to_vec() },
        Envelope::Part { attempt: Seq(9), index: 0, content: b"he".to_vec() },
        Envelope::LastPart { attempt: Seq(9), index: 1, resource: resource(), content: b"llo".to_vec() },
        Envelope::Abort { attempt: Seq(8) },
        Envelope::Tombstone { path: "old.txt".to_owned() },
        Envelope::SnapshotEnd {
            index: 0,
            count: 1,
            entries: vec![(DocumentId([5; 16]), ContentHash([6; 32]))],
        },
    ];
    bodies.into_iter().map(|body| EnvelopeV1 { document: DocumentId([4; 16]), body }).collect()
}

fn place(through: u64) -> Place {
    Place {
        tenant: "acme".parse::<Tenant>().expect("valid"),
        agent: AgentId([1; 16]),
        epoch: Epoch(2),
        lane: Lane::Bulk,
        seq: Seq(9),
        through: Seq(through),
        source: SourceId([3; 16]),
        key_id: KeyId([7; 8]),
        policy: PolicyHash([8; 16]),
        previous: ContentHash([9; 32]),
    }
}

fn data() -> (BodyV1, Packed) {
    let body = BodyV1::Data { source_name: "docs".to_owned(), envelopes: envelopes() };
    let packed = frame::pack(place(9), &body).expect("within the limits");
    (body, packed)
}

#[test]
fn the_header_stands_where_the_table_says() {
    let (_, packed) = data();
    let bytes = &packed.bytes;
    assert_eq!(&bytes[0..4], b"CFRM");
    assert_eq!(&bytes[4..8], &[1, 0, 0, 1]);
    assert_eq!(&bytes[8..24], &[1; 16]);
    assert_eq!(&bytes[24..28], &2u32.to_le_bytes());
    assert_eq!(&bytes[28..32], &6u32.to_le_bytes());
    assert_eq!(&bytes[32..40], &9u64.to_le_bytes());
    assert_eq!(&bytes[40..48], &9u64.to_le_bytes());
    assert_eq!(&bytes[52..56], &((bytes.len() - frame::HEADER_BYTES) as u32).to_le_bytes());
    assert_eq!(&bytes[56..62], b"acme\0\0");
    assert_eq!(&bytes[88..104], &[3; 16]);
    assert_eq!(&bytes[104..112], &[7; 8]);
    assert_eq!(&bytes[112..128], &[8; 16]);
    assert_eq!(&bytes[128..160], &[9; 32]);
    assert_eq!(&bytes[160..192], blake3::hash(&bytes[200..]).as_bytes());
    assert_eq!(&bytes[192..200], &blake3::hash(&bytes[..192]).as_bytes()[..8]);
    assert_eq!(packed.hash, ContentHash::of(&bytes[..200]));
}

#[test]
fn a_body_before_compression_keeps_its_bytes() {
    let (_, packed) = data();
    let raw = zstd::bulk::decompress(&packed.bytes[frame::HEADER_BYTES..], limits::FRAME_RAW_BYTES_MAX);
    assert_golden("data frame body", &raw.expect("a zstd frame"), GOLDEN_DATA_BODY);
    let gap = frame::pack(Place { through: Seq(40), ..place(9) }, &BodyV1::Gap { reason: "lost".to_owned() });
    let gap = gap.expect("within the limits");
    let raw = zstd::bulk::decompress(&gap.bytes[frame::HEADER_BYTES..], limits::FRAME_RAW_BYTES_MAX);
    assert_eq!(raw.expect("a zstd frame"), b"\x01\x04lost");
}

#[test]
fn a_frame_comes_back_as_it_was_packed() {
    let (body, packed) = data();
    let (header, opened) = frame::open(&packed.bytes).expect("whole");
    assert_eq!(header, packed.header);
    assert_eq!(opened, body);
    assert_eq!(frame::hash(&packed.bytes), header.hash());
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed() {
    let (_, packed) = data();
    for at in 0..packed.bytes.len() {
        let mut bytes = packed.bytes.clone();
        bytes[at] ^= 0x20;
        assert!(frame::open(&bytes).is_err(), "byte {at}");
        assert!(frame::open(&packed.bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn what_a_reader_would_refuse_can_not_be_packed() {
    let whole = |content: usize| EnvelopeV1 {
        document: DocumentId([4; 16]),
        body: Envelope::Whole { resource: resource(), content: vec![0; content] },
    };
    let body = |envelopes| BodyV1::Data { source_name: "docs".to_owned(), envelopes };
    assert!(frame::pack(place(9), &body(vec![whole(limits::ENVELOPE_CONTENT_BYTES_MAX)])).is_ok());
    let too_long = frame::pack(place(9), &body(vec![whole(limits::ENVELOPE_CONTENT_BYTES_MAX + 1)]));
    assert!(matches!(too_long, Err(FrameError::Envelope(_))));
    assert_eq!(frame::pack(place(9), &body(vec![])).unwrap_err(), FrameError::Field("count"));
    assert_eq!(frame::pack(place(10), &body(vec![whole(1)])).unwrap_err(), FrameError::Field("through"));
}

#[test]
fn a_body_that_claims_more_than_it_holds_is_refused_before_it_is_allocated() {
    let (_, packed) = data();
    let mut header = packed.header;
    header.raw_bytes = limits::FRAME_RAW_BYTES_MAX as u32 + 1;
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(&packed.bytes[frame::HEADER_BYTES..]);
    assert_eq!(frame::open(&bytes).unwrap_err(), FrameError::Field("raw length"));
}

fn messages() -> Vec<Message> {
    vec![
        Message::Hello(Hello {
            wire_min: 1,
            wire_max: 1,
            agent: AgentId([1; 16]),
            tenant: "acme".to_owned(),
            epoch: Epoch(2),
            key_id: KeyId([7; 8]),
            policy: PolicyHash([8; 16]),
            program: "0.1.0".to_owned(),
            now_ms: 1_700_000_000_000,
        }),
        Message::Welcome(Welcome {
            wire: 1,
            epoch_min: Epoch(1),
            lanes: vec![LaneResume { lane: Lane::Bulk, through: Seq(3), hash: ContentHash([4; 32]) }],
            credit: Credit { frames: 256, bytes: 1 << 24 },
            now_ms: 1_700_000_000_000,
            program: "0.1.0".to_owned(),
        }),
        Message::Ack(Ack { lane: Lane::Interactive, through: Seq(5), hash: ContentHash([4; 32]) }),
        Message::Nack(Nack {
            lane: Lane::Bulk,
            seq: Seq(6),
            reason: NackReason::Fork,
            detail: "x".to_owned(),
        }),
        Message::Credit(Credit { frames: 0, bytes: 0 }),
        Message::Policy(Policy { expected: PolicyHash([8; 16]), key_id: KeyId([7; 8]) }),
        Message::Receipt(receipt()),
        Message::Ledger(LedgerReport {
            head: LedgerHead { lines: 9, hash: ContentHash([1; 32]) },
            receipted: Some(LedgerHead { lines: 7, hash: ContentHash([6; 32]) }),
        }),
        Message::Goodbye(Goodbye { reason: GoodbyeReason::Shutdown, detail: String::new() }),
    ]
}

#[test]
fn messages_keep_their_bytes_and_come_back() {
    let mut all = Vec::new();
    for message in messages() {
        let bytes = message.encode();
        let length = bytes.len();
        assert_eq!(message::decode(&bytes), Ok(Decoded::Message(message, length)));
        for cut in 0..length {
            assert!(
                matches!(message::decode(&bytes[..cut]), Ok(Decoded::Need(need)) if need > cut && need <= length)
            );
        }
        all.extend(bytes);
    }
    assert_golden("messages", &all, GOLDEN_MESSAGES);
}

#[test]
fn unknown_tags_have_a_defined_answer() {
    let message = |tag: u16| [&3u32.to_le_bytes()[..], &tag.to_le_bytes(), &[0]].concat();
    assert_eq!(message::decode(&message(0x0100)), Err(MessageError::UnknownTag(0x0100)));
    assert_eq!(message::decode(&message(0x8100)), Ok(Decoded::Ignored(7)));
    let long = (limits::MESSAGE_BYTES_MAX as u32 + 1).to_le_bytes();
    assert_eq!(message::decode(&long), Err(MessageError::TooLong(limits::MESSAGE_BYTES_MAX + 1)));
    assert_eq!(message::decode(&[1, 0, 0, 0, 9]), Err(MessageError::NoTag));
}

#[test]
fn records_keep_their_bytes_and_whose_turn_it_is_is_fair() {
    let mut bytes = Vec::new();
    mux::put_control(b"hi", &mut bytes);
    mux::put_control(b"", &mut bytes);
    mux::put_lane(Lane::Bulk, &[7], &mut bytes);
    mux::put_room(Lane::Interactive, 258, &mut bytes);
    assert_eq!(bytes, [0, 2, 0, b'h', b'i', 0, 0, 0, 2, 1, 0, 7, 0x81, 4, 0, 2, 1, 0, 0]);
    let long = (limits::RECORD_BYTES_MAX as u16 + 1).to_le_bytes();
    assert_eq!(mux::parse(&[2, long[0], long[1]]), Err(MuxError::Length(limits::RECORD_BYTES_MAX + 1)));
    assert_eq!(mux::parse(&[2, 0, 0]), Err(MuxError::Length(0)));
    assert_eq!(mux::parse(&[0x81, 3, 0]), Err(MuxError::Length(3)));
    assert_eq!(mux::parse(&[3, 0, 0]), Err(MuxError::Kind(3)));
    assert_eq!(mux::parse(&[0x80, 4, 0]), Err(MuxError::Kind(0x80)));

    let mut turns = Turns::default();
    let both: Vec<Lane> = (0..16).filter_map(|_| turns.next(|_| true)).collect();
    assert_eq!(both.iter().filter(|lane| **lane == Lane::Bulk).count(), 2, "{both:?}");
    assert_eq!(both[0], Lane::Interactive);
    assert_eq!(turns.next(|lane| lane == Lane::Bulk), Some(Lane::Bulk));
    assert_eq!(turns.next(|_| false), None);
}

#[test]
fn enrolment_comes_back_and_a_token_reads_as_it_was_written() {
    let request = EnrollRequest { secret: [3; 32], csr_der: vec![1, 2], label: "host".to_owned() };
    assert!(EnrollRequest::decode(&request.encode()).expect("whole") == request);
    let answer = EnrollAnswer::Enrolled {
        agent: AgentId([1; 16]),
        tenant: "acme".to_owned(),
        chain_der: vec![vec![1]],
        roots_der: vec![vec![2]],
    };
    assert_eq!(EnrollAnswer::decode(&answer.encode()).expect("whole"), answer);
    let token = JoinToken { hub: "[::1]:4433".to_owned(), pin: ContentHash([5; 32]), secret: [6; 32] };
    assert!(token.to_text().parse::<JoinToken>().expect("own text") == token);
    assert!(!format!("{token:?}").contains("0606"), "a secret in Debug");
    for bad in ["", "certus-join-1", "certus-join-1.05.06.hub:1", &token.to_text().replace(":4433", "")] {
        assert!(bad.parse::<JoinToken>().is_err(), "{bad}");
    }
}

#[test]
fn the_ledgers_chain_breaks_where_a_line_was_changed_dropped_or_moved() {
    let row = FrameRow {
        at_ms: 1,
        epoch: 1,
        lane: Lane::Bulk,
        seq: 1,
        through: None,
        frame: ContentHash([1; 32]),
        bytes: 300,
        source: SourceId([3; 16]),
        source_name: "docs".to_owned(),
        key_id: KeyId([7; 8]),
        policy: PolicyHash([8; 16]),
        resources: vec![ResourceRow {
            what: What::Whole,
            document: DocumentId([4; 16]),
            path: "a.txt".to_owned(),
            hash: Some(ContentHash([6; 32])),
            size: 5,
            redactions: vec![("EMAIL".to_owned(), 2)],
        }],
    };
    let mut chain = Chain::default();
    let begin = Event::Begin { tenant: "acme".to_owned(), agent: AgentId([1; 16]), at_ms: 0 };
    let events = [begin, Event::Frame(row.clone()), Event::Frame(FrameRow { seq: 2, ..row })];
    let text: Vec<String> = events.iter().map(|event| chain.append(event)).collect();
    assert_golden("ledger", text.concat().as_bytes(), GOLDEN_LEDGER);

    let check = |lines: &[&str]| {
        let mut chain = Chain::default();
        lines.iter().try_for_each(|line| chain.check(line.trim_end()).map(drop))
    };
    let [a, b, c] = [text[0].as_str(), text[1].as_str(), text[2].as_str()];
    assert_eq!(check(&[a, b, c]), Ok(()));
    assert_eq!(check(&[a, c]), Err(ChainError::Broken { line: 2 }));
    assert_eq!(check(&[b, a, c]), Err(ChainError::Broken { line: 1 }));
    assert_eq!(check(&[a, &b.replace("a.txt", "b.txt"), c]), Err(ChainError::Broken { line: 3 }));
    assert_eq!(check(&[a, "{}", c]), Err(ChainError::Entry { line: 2 }));
}

fn receipt() -> Receipt {
    let statement = Statement {
        tenant: "acme".to_owned(),
        agent: AgentId([1; 16]),
        epoch: 2,
        lane: Lane::Bulk,
        through: 9,
        frame: ContentHash([5; 32]),
        ledger: Some(LedgerHead { lines: 7, hash: ContentHash([6; 32]) }),
        at_ms: 1_700_000_000_000,
    };
    Receipt { statement, key: ReceiptKey([7; 32]), signature: Signature([8; 64]) }
}

#[test]
fn a_receipt_signs_a_text_that_names_everything_it_states() {
    let stated = receipt().statement;
    assert_golden("receipt", stated.signed_text().as_bytes(), GOLDEN_RECEIPT);
    let others = [
        Statement { tenant: "acm".to_owned(), ..stated.clone() },
        Statement { agent: AgentId([2; 16]), ..stated.clone() },
        Statement { epoch: 3, ..stated.clone() },
        Statement { lane: Lane::Interactive, ..stated.clone() },
        Statement { through: 10, ..stated.clone() },
        Statement { frame: ContentHash([6; 32]), ..stated.clone() },
        Statement { ledger: None, ..stated.clone() },
        Statement { ledger: Some(LedgerHead { lines: 8, hash: ContentHash([6; 32]) }), ..stated.clone() },
        Statement { ledger: Some(LedgerHead { lines: 7, hash: ContentHash([7; 32]) }), ..stated.clone() },
        Statement { at_ms: 0, ..stated.clone() },
    ];
    for other in others {
        assert_ne!(other.signed_text(), stated.signed_text());
    }
    let json = serde_json::to_string(&receipt()).expect("serialises");
    assert_eq!(serde_json::from_str::<Receipt>(&json).expect("its own text"), receipt());
}

fn bundle() -> Vec<u8> {
    let (tenant, hub) = ("acme".to_owned(), ContentHash([5; 32]));
    let (agent, chain_der) = (AgentId([1; 16]), vec![vec![1, 2], vec![3]]);
    let (mut writer, mut bytes) = Writer::new(&Head { tenant, agent, epoch: 2, hub, chain_der, at_ms: 3 });
    let (_, packed) = data();
    writer.frame(&packed.header, packed.hash, &packed.bytes);
    bytes.extend_from_slice(&packed.bytes);
    let trailer = writer.trailer(LedgerHead { lines: 7, hash: ContentHash([6; 32]) });
    bytes.extend_from_slice(&bundle::sealed(&trailer, Signature([8; 64])));
    bytes
}

fn read_bundle(bytes: &[u8]) -> Result<(Vec<ContentHash>, Trailer, Signature), BundleError> {
    let (mut reader, mut left, mut frames) = (Reader::default(), bytes, Vec::new());
    loop {
        let (piece, rest) = left.split_at_checked(reader.need()).ok_or(BundleError::Content)?;
        left = rest;
        match reader.feed(piece)? {
            Item::Frame(_, hash, _) => frames.push(hash),
            Item::End(trailer, signature) => return Ok((frames, trailer, signature)),
            Item::Head(_) | Item::More => {}
        }
    }
}

#[test]
fn a_bundle_keeps_its_bytes_and_every_changed_one_shows() {
    let bytes = bundle();
    let whole = read_bundle(&bytes).expect("whole");
    assert_eq!(whole.0, [data().1.hash]);
    // zstd may change within its format: the body is pinned elsewhere.
    let trailer = bytes.len() - bundle::sealed(&whole.1, whole.2).len();
    let head = trailer - data().1.bytes.len();
    assert_golden("bundle's head", &bytes[..head], GOLDEN_BUNDLE_HEAD);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        // What the reader lets pass is other than what was signed.
        assert_ne!(read_bundle(&changed), Ok(whole.clone()), "byte {at}");
        assert!(read_bundle(&bytes[..at]).is_err(), "cut at {at}");
    }
    for at in 0..trailer {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read_bundle(&changed).is_err(), "byte {at} of the content");
    }
}

#[test]
fn versions_order_by_generation_then_seq_then_index() {
    let version = |g, s, i| Version::new(Generation(g), Seq(s), i).expect("in range").as_u64();
    assert!(version(1, limits::SEQ_MAX, limits::FRAME_ENVELOPES_MAX - 1) < version(2, 0, 0));
    assert!(version(1, 5, limits::FRAME_ENVELOPES_MAX - 1) < version(1, 6, 0));
    assert!(
        version(limits::GENERATION_MAX as u32, limits::SEQ_MAX, limits::FRAME_ENVELOPES_MAX - 1) < 1 << 63
    );
    assert!(Version::new(Generation(1), Seq(limits::SEQ_MAX + 1), 0).is_err());
    assert!(Version::new(Generation(1), Seq(1), limits::FRAME_ENVELOPES_MAX).is_err());
}

#[test]
fn names_keep_their_rules() {
    for good in ["a", "acme", "acme-2", &"a".repeat(32)] {
        assert!(good.parse::<Tenant>().is_ok(), "{good}");
    }
    for bad in ["", "-a", "a-", "Acme", "a/b", "a.b", "a\0", &"a".repeat(33)] {
        assert!(bad.parse::<Tenant>().is_err(), "{bad}");
    }
    let a = DocumentId::derive(&SourceId([1; 16]), "ab", "c");
    assert_ne!(a, DocumentId::derive(&SourceId([1; 16]), "a", "bc"), "fields run into each other");
    assert_eq!(a.to_string().parse::<DocumentId>(), Ok(a));
}

#[track_caller]
fn assert_golden(what: &str, bytes: &[u8], golden: &str) {
    assert_eq!(
        blake3::hash(bytes).to_hex().as_str(),
        golden,
        "{what} changed: {}",
        String::from_utf8_lossy(bytes)
    );
}

const GOLDEN_DATA_BODY: &str = "75686f0100da979a109424f2f09951657f49088bf6fca7d61a5520dcda38d808";
const GOLDEN_MESSAGES: &str = "cf57b7fab92f5bcca86e7c6859595dac0b9066852e303da432f0abb8cb8cf8b6";
const GOLDEN_LEDGER: &str = "f7bdf646ca5301a1f405fe7ada2febd721c10b459a4d90afd7b7a08babcad965";
const GOLDEN_RECEIPT: &str = "88088603d9acb8c0f4e97571b911f90e2391da802f1ef51be6f3436c2c73769e";
const GOLDEN_BUNDLE_HEAD: &str = "28af39569137a810256c41c8773159b59cce5202f0c191359f4b015137fe3c9e";
