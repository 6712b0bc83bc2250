//! Checking a ledger offline: the chain, that no frame of a lane is without a row, and every receipt against both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use certus_protocol::ids::{AgentId, ContentHash, Lane, ReceiptKey};
use certus_protocol::ledger::{Entry, Event, FrameRow};
use certus_protocol::receipt::{LedgerHead, Receipt};

use super::{LedgerError, files};
use crate::receipt;

/// Lines and frames of a lane that are remembered to compare receipts with; receipts follow within seconds.
const REMEMBERED: usize = 4_096;

/// What a ledger is held against.
#[derive(Debug, Default)]
pub struct Against {
    /// Keys that receipts may be signed with.
    pub keys: BTreeSet<ReceiptKey>,
    /// Receipts from elsewhere: what the hub itself keeps.
    pub receipts: Vec<Receipt>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Lines.
    pub lines: u64,
    /// Frames among them.
    pub frames: u64,
    /// Receipts among them.
    pub receipts: u64,
    /// Hash of the last line: what the chain stands for.
    pub head: ContentHash,
    /// Lines up to here are covered by a receipt.
    pub receipted_lines: u64,
    /// Receipts from elsewhere that it agrees with.
    pub compared: usize,
}

/// Checks the whole ledger in `folder`.
///
/// # Errors
/// Where the chain breaks, or which receipt it contradicts.
pub fn verify(folder: &Path, against: &Against) -> Result<Verified, LedgerError> {
    let mut audit = Audit::default();
    let mut missing: BTreeSet<(u32, Lane, u64, ContentHash)> = against.receipts.iter().map(named).collect();
    let (mut frames, mut receipts) = (0, 0);
    let head = files::walk(folder, |head, entry| {
        match &entry.event {
            Event::Frame(row) => {
                frames += 1;
                let through = row.through.unwrap_or(row.seq);
                missing.remove(&(row.epoch, row.lane, through, row.frame));
            }
            Event::Receipt(receipt) => {
                receipts += 1;
                signed(receipt, &against.keys)?;
                audit.agrees(folder, head.lines, receipt)?;
            }
            _ => {}
        }
        audit.take_in(head, &entry);
        Ok(())
    })?;
    for receipt in &against.receipts {
        signed(receipt, &against.keys)?;
        audit.is_ours(receipt)?;
        audit.line_agrees(folder, head.lines + 1, receipt)?;
        if missing.contains(&named(receipt)) {
            return Err(contradicted(
                receipt,
                "the ledger has no row of that frame: it was cut or rewritten",
            ));
        }
    }
    let compared = against.receipts.len();
    Ok(Verified {
        lines: head.lines,
        frames,
        receipts,
        head: head.hash,
        receipted_lines: audit.receipted,
        compared,
    })
}

#[derive(Default)]
struct Audit {
    owner: Option<(String, AgentId)>,
    /// Hashes of the last lines, the newest last.
    lines: VecDeque<ContentHash>,
    lanes: BTreeMap<(u32, Lane), Rows>,
    receipted: u64,
}

#[derive(Default)]
struct Rows {
    /// Recorded without a hole through here.
    through: u64,
    /// The last rows: the number a frame stands for at the end, and its hash.
    recent: VecDeque<(u64, ContentHash)>,
}

impl Audit {
    fn take_in(&mut self, head: LedgerHead, entry: &Entry) {
        keep(&mut self.lines, head.hash);
        match &entry.event {
            Event::Begin { tenant, agent, .. } => self.owner = Some((tenant.clone(), *agent)),
            Event::Frame(row) => self.lanes.entry((row.epoch, row.lane)).or_default().take_in(row),
            _ => {}
        }
    }

    fn agrees(&mut self, folder: &Path, next: u64, receipt: &Receipt) -> Result<(), LedgerError> {
        self.is_ours(receipt)?;
        self.line_agrees(folder, next, receipt)?;
        let stated = &receipt.statement;
        let rows = self.lanes.get(&(stated.epoch, stated.lane));
        let through = rows.map_or(0, |rows| rows.through);
        if through < stated.through {
            let what =
                format!("rows of the lane end without a hole at frame {through}: a frame left without one");
            return Err(contradicted(receipt, &what));
        }
        let recent = rows.map(|rows| &rows.recent);
        let mut same =
            recent.into_iter().flatten().filter(|(number, _)| *number == stated.through).peekable();
        if same.peek().is_some() && !same.any(|(_, hash)| *hash == stated.frame) {
            return Err(contradicted(receipt, "the ledger's row of that frame has another hash"));
        }
        self.receipted = self.receipted.max(stated.ledger.map_or(0, |head| head.lines));
        Ok(())
    }

    fn is_ours(&self, receipt: &Receipt) -> Result<(), LedgerError> {
        let stated = &receipt.statement;
        let ours = self
            .owner
            .as_ref()
            .is_some_and(|(tenant, agent)| *tenant == stated.tenant && *agent == stated.agent);
        if ours { Ok(()) } else { Err(contradicted(receipt, "it is about another agent")) }
    }

    /// Compares the line that the receipt names; it must be one before line `next`.
    fn line_agrees(&self, folder: &Path, next: u64, receipt: &Receipt) -> Result<(), LedgerError> {
        let Some(stated) = receipt.statement.ledger else { return Ok(()) };
        let remembered =
            next.checked_sub(stated.lines).and_then(|back| self.lines.len().checked_sub(back as usize));
        let there = match remembered.and_then(|at| self.lines.get(at)) {
            _ if stated.lines >= next => None,
            Some(hash) => Some(*hash),
            None => files::hash_at(folder, stated.lines)?,
        };
        match there {
            Some(hash) if hash == stated.hash => Ok(()),
            Some(_) => Err(contradicted(receipt, "the ledger has another line there: it was rewritten")),
            None => {
                let what = format!(
                    "{} lines stand before, and it names line {}: the tail was cut",
                    next - 1,
                    stated.lines
                );
                Err(contradicted(receipt, &what))
            }
        }
    }
}

impl Rows {
    fn take_in(&mut self, row: &FrameRow) {
        let through = row.through.unwrap_or(row.seq);
        if row.seq <= self.through + 1 {
            self.through = self.through.max(through);
        }
        keep(&mut self.recent, (through, row.frame));
    }
}

fn keep<T>(ring: &mut VecDeque<T>, item: T) {
    if ring.len() == REMEMBERED {
        ring.pop_front();
    }
    ring.push_back(item);
}

fn named(receipt: &Receipt) -> (u32, Lane, u64, ContentHash) {
    let stated = &receipt.statement;
    (stated.epoch, stated.lane, stated.through, stated.frame)
}

fn signed(receipt: &Receipt, keys: &BTreeSet<ReceiptKey>) -> Result<(), LedgerError> {
    if !keys.contains(&receipt.key) {
        let what =
            format!("it is signed with key {}, which is not among those that are trusted", receipt.key);
        return Err(contradicted(receipt, &what));
    }
    if receipt::is_signed(receipt) { Ok(()) } else { Err(contradicted(receipt, "its signature is wrong")) }
}

fn contradicted(receipt: &Receipt, what: &str) -> LedgerError {
    let stated = &receipt.statement;
    LedgerError::Receipt(format!(
        "receipt for epoch {} lane {} through frame {}: {what}",
        stated.epoch, stated.lane, stated.through
    ))
}
