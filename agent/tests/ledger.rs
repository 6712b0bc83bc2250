//! The egress ledger: on over files, restarts and processes; whatever is changed, cut or left out is found.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use certus_agent::clock::SetClock;
use certus_agent::ledger::verify::{Against, Verified, verify};
use certus_agent::ledger::{Ledger, LedgerError, files};
use certus_agent::spool::Stored;
use certus_protocol::envelope::{BodyV1 as Envelope, EnvelopeV1};
use certus_protocol::frame::{self, BodyV1, Place};
use certus_protocol::ids::{
    AgentId, ContentHash, DocumentId, Epoch, KeyId, Lane, PolicyHash, ReceiptKey, Seq, Signature, SourceId,
    Tenant,
};
use certus_protocol::receipt::{LedgerHead, Receipt, Statement};

const AGENT: AgentId = AgentId([1; 16]);

fn tenant() -> Tenant {
    "acme".parse().expect("a name")
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, &tenant(), AGENT, Arc::new(SetClock::default())).expect("opens")
}

/// Frames of one lane, chained, each with so many paths of so many bytes.
fn frames(seqs: std::ops::RangeInclusive<u64>, paths: usize, path_bytes: usize) -> Vec<Stored> {
    let mut previous = ContentHash([0; 32]);
    let frame = |seq: u64| {
        let envelope = |number: usize| EnvelopeV1 {
            document: DocumentId([4; 16]),
            body: Envelope::Tombstone { path: format!("{seq}/{number}/{}", "x".repeat(path_bytes)) },
        };
        let body =
            BodyV1::Data { source_name: "docs".to_owned(), envelopes: (0..paths).map(envelope).collect() };
        let place = Place {
            tenant: tenant(),
            agent: AGENT,
            epoch: Epoch(1),
            lane: Lane::Bulk,
            seq: Seq(seq),
            through: Seq(seq),
            source: SourceId([3; 16]),
            key_id: KeyId([7; 8]),
            policy: PolicyHash([8; 16]),
            previous,
        };
        let packed = frame::pack(place, &body).expect("within the limits");
        previous = packed.hash;
        Stored { header: packed.header, hash: packed.hash, bytes: packed.bytes.into() }
    };
    (1..=*seqs.end()).map(frame).skip(*seqs.start() as usize - 1).collect()
}

struct Hub(Ed25519KeyPair);

impl Hub {
    fn new() -> Self {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).expect("randomness");
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed"))
    }

    fn key(&self) -> ReceiptKey {
        ReceiptKey(self.0.public_key().as_ref().try_into().expect("32 bytes"))
    }

    fn receipt(&self, frame: &Stored, ledger: LedgerHead) -> Receipt {
        let statement = Statement {
            tenant: tenant().to_string(),
            agent: AGENT,
            epoch: 1,
            lane: Lane::Bulk,
            through: frame.header.through.0,
            frame: frame.hash,
            ledger: Some(ledger),
            at_ms: 5,
        };
        let signature = self.0.sign(statement.signed_text().as_bytes());
        let signature = Signature(signature.as_ref().try_into().expect("64 bytes"));
        Receipt { statement, key: self.key(), signature }
    }

    fn against(&self, receipts: &[Receipt]) -> Against {
        Against { keys: [self.key()].into(), receipts: receipts.to_vec() }
    }
}

fn whole(folder: &Path) -> Verified {
    verify(folder, &Against::default()).expect("whole")
}

#[test]
fn it_goes_on_over_files_and_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = frames(1..=12, 64, 16_000);
    let mut ledger = open(folder.path());
    for one in all.chunks(1) {
        ledger.record(one).expect("written");
        // What is recorded already is not recorded again.
        ledger.record(one).expect("written");
        if one[0].header.seq.0 % 5 == 0 {
            ledger = open(folder.path());
        }
    }
    let files = files::list(folder.path()).expect("listed");
    assert!(files.len() > 2, "{files:?}");
    let verified = whole(folder.path());
    assert_eq!((verified.frames, verified.lines), (12, 12 + files.len() as u64));
    assert_eq!(open(folder.path()).head(), LedgerHead { lines: verified.lines, hash: verified.head });
    let mut hashes = Vec::new();
    files::walk(folder.path(), |head, _| {
        hashes.push(head);
        Ok(())
    })
    .expect("whole");
    for head in hashes {
        assert_eq!(ledger.hash_at(head.lines).expect("read"), Some(head.hash), "line {}", head.lines);
    }
    assert_eq!(ledger.hash_at(verified.lines + 1).expect("read"), None);
    fs::remove_file(&files[1].1).expect("removed");
    assert!(verify(folder.path(), &Against::default()).is_err(), "a file is missing");
}

#[test]
fn every_changed_byte_is_found_once_it_is_receipted() {
    let (folder, hub) = (tempfile::tempdir().expect("a folder"), Hub::new());
    let all = frames(1..=3, 2, 5);
    let mut ledger = open(folder.path());
    ledger.record(&all[..2]).expect("written");
    ledger.receipt(&hub.receipt(&all[1], ledger.head()), Some(hub.key())).expect("written");
    ledger.record(&all[2..]).expect("written");
    let last = hub.receipt(&all[2], ledger.head());
    let verified = verify(folder.path(), &hub.against(std::slice::from_ref(&last))).expect("agrees");
    assert_eq!((verified.receipts, verified.compared, verified.receipted_lines), (1, 1, 3));

    let path = files::path(folder.path(), 1);
    let bytes = fs::read(&path).expect("read");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).expect("written");
        assert!(verify(folder.path(), &hub.against(std::slice::from_ref(&last))).is_err(), "byte {at}");
    }
    fs::write(&path, &bytes).expect("written");
    assert!(verify(folder.path(), &Hub::new().against(&[])).is_err(), "another hub's key");
    for wrong in [
        Receipt { statement: Statement { at_ms: 6, ..last.statement.clone() }, ..last.clone() },
        Receipt { signature: Signature([0; 64]), ..last.clone() },
        hub.receipt(&frames(1..=4, 3, 5)[2], ledger.head()),
    ] {
        assert!(verify(folder.path(), &hub.against(&[wrong])).is_err());
    }
}

#[test]
fn a_tail_that_was_cut_contradicts_the_hubs_receipt() {
    let (folder, hub) = (tempfile::tempdir().expect("a folder"), Hub::new());
    let all = frames(1..=4, 1, 5);
    let mut ledger = open(folder.path());
    ledger.record(&all).expect("written");
    let receipt = hub.receipt(&all[3], ledger.head());
    let path = files::path(folder.path(), 1);
    let text = fs::read_to_string(&path).expect("read");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for keep in 1..lines.len() {
        fs::write(&path, lines[..keep].concat()).expect("written");
        whole(folder.path());
        let found = verify(folder.path(), &hub.against(std::slice::from_ref(&receipt)));
        assert!(matches!(found, Err(LedgerError::Receipt(_))), "{keep} lines: {found:?}");
        // It goes on after the cut and gets a receipt that does not fit any more: now it shows without the hub's copy.
        let mut ledger = open(folder.path());
        ledger.receipt(&receipt, None).expect("written");
        assert!(verify(folder.path(), &hub.against(&[])).is_err(), "{keep} lines, and on");
    }
}

#[test]
fn a_frame_that_left_without_a_row_is_missed() {
    let (folder, hub) = (tempfile::tempdir().expect("a folder"), Hub::new());
    let all = frames(1..=4, 1, 5);
    let mut ledger = open(folder.path());
    ledger.record(&all[..2]).expect("written");
    ledger.record(&all[3..]).expect("written");
    ledger.receipt(&hub.receipt(&all[3], ledger.head()), None).expect("written");
    let found = verify(folder.path(), &hub.against(&[]));
    assert!(matches!(&found, Err(LedgerError::Receipt(what)) if what.contains("without")), "{found:?}");
}

#[test]
fn what_stands_after_a_hole_is_recorded_again_so_that_nothing_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = frames(1..=3, 1, 5);
    let mut ledger = open(folder.path());
    ledger.record(&all[2..]).expect("written");
    assert_eq!(ledger.recorded(Epoch(1), Lane::Bulk), None);
    ledger.record(&all).expect("written");
    assert_eq!(ledger.recorded(Epoch(1), Lane::Bulk).map(|recorded| recorded.seq), Some(3));
    assert_eq!(whole(folder.path()).frames, 4);
}

#[test]
fn two_processes_take_turns() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = frames(1..=12, 64, 16_000);
    let (mut one, mut other) = (open(folder.path()), open(folder.path()));
    for (number, frame) in all.chunks(1).enumerate() {
        let (first, second) = if number % 3 == 0 { (&mut other, &mut one) } else { (&mut one, &mut other) };
        first.record(frame).expect("written");
        // The other one knows what was written.
        second.record(frame).expect("written");
    }
    assert_eq!(whole(folder.path()).frames, 12);
}

#[test]
fn what_a_crash_left_at_the_end_is_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = frames(1..=2, 1, 5);
    open(folder.path()).record(&all[..1]).expect("written");
    let path = files::path(folder.path(), 1);
    for rest in [&b"{\"previous\":\"00"[..], &[0; 5000], b"\0\0\0\n{}\n"] {
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(rest))
            .expect("written");
        assert_eq!(whole(folder.path()).frames, 1);
        open(folder.path());
    }
    // A further file that was begun and never written.
    fs::write(files::path(folder.path(), 2), b"").expect("written");
    open(folder.path()).record(&all).expect("written");
    assert_eq!(whole(folder.path()).frames, 2);
}

#[test]
fn after_a_failure_it_goes_on_by_itself() {
    let (folder, aside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let all = frames(1..=12, 64, 16_000);
    let place = folder.path().join("ledger");
    let mut ledger = open(&place);
    ledger.record(&all[..5]).expect("written");
    fs::rename(&place, aside.path().join("ledger")).expect("moved");
    // The next file can't be made.
    assert!(matches!(ledger.record(&all), Err(LedgerError::Io { .. })));
    assert!(matches!(ledger.record(&all), Err(LedgerError::Io { .. })));
    fs::rename(aside.path().join("ledger"), &place).expect("moved back");
    ledger.record(&all).expect("written");
    assert_eq!(whole(&place).frames, 12);
}

#[test]
fn another_agents_ledger_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path());
    let other = Ledger::open(folder.path(), &tenant(), AgentId([2; 16]), Arc::new(SetClock::default()));
    assert!(matches!(other, Err(LedgerError::Foreign(_))));
}
