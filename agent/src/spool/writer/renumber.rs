//! Numbering again: what the hub has not acknowledged moves, in order, into a new epoch.

use std::collections::BTreeMap;

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope};
use certus_protocol::frame::{self, BodyV1, Packed};
use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq, SourceId};
use certus_sanitizer::Clean;

use super::{Group, Writer};
use crate::spool::index::Changes;
use crate::spool::segment::Pointer;
use crate::spool::space::Pressed;
use crate::spool::{LaneState, SpoolError, epoch};

impl Writer {
    /// Numbers what is not acknowledged again, from 1, in epoch `wanted`. The epoch's file goes first: a crash in
    /// between leaves it ahead of the index, and the next start does this again.
    pub(super) fn renumber(&mut self, wanted: Epoch) -> Result<(), SpoolError> {
        epoch::write(&self.owner.epoch_file, wanted)?;
        let mut changes = Changes::default();
        let mut old: Vec<(Lane, Vec<(Seq, Pointer)>)> = Vec::new();
        for lane in Lane::ALL {
            for found in self.index.pointers(lane, Seq::ZERO) {
                changes.forget_frame(lane, found?.0);
            }
            old.push((lane, self.unfinished(lane)?));
        }
        let before = (self.epoch, self.lanes.clone());
        self.epoch = wanted;
        for lane in self.lanes.values_mut() {
            let none = ContentHash([0; 32]);
            *lane = LaneState {
                acked: Seq::ZERO,
                acked_hash: none,
                last: Seq::ZERO,
                last_hash: none,
                unacked_bytes: 0,
                ..*lane
            };
        }
        self.space.renumbered();
        let written = self.rewrite(&old, &mut changes).and_then(|placed| {
            self.write(&Group::default(), changes)?;
            Ok(placed)
        });
        let placed = match written {
            Ok(placed) => placed,
            Err(error) => {
                (self.epoch, self.lanes) = before;
                return Err(error);
            }
        };
        let now_ms = self.clock.now_ms();
        for (lane, seq, pointer) in placed {
            self.space.wrote(lane, seq, &pointer, now_ms);
        }
        self.delete_segments(Pressed::No)
    }

    /// Frames that the hub has not acknowledged, and those before them that hold parts of a resource that ends in them.
    fn unfinished(&self, lane: Lane) -> Result<Vec<(Seq, Pointer)>, SpoolError> {
        let acked = self.lanes.get(&lane).map_or(Seq::ZERO, |state| state.acked);
        let mut from = acked.next();
        for found in self.index.pointers(lane, acked) {
            let (_, pointer) = found?;
            let Some(Ok((_, BodyV1::Data { envelopes, .. }))) =
                self.segments.read(&pointer).map(|stored| frame::open(&stored.bytes))
            else {
                continue;
            };
            let attempts = envelopes.iter().filter_map(|envelope| match &envelope.body {
                EnvelopeBody::Part { attempt, .. } | EnvelopeBody::LastPart { attempt, .. } => Some(*attempt),
                _ => None,
            });
            from = attempts.fold(from, Seq::min);
        }
        self.index.pointers(lane, Seq(from.0.saturating_sub(1))).collect()
    }

    /// Packs the frames again and appends them, a few at a time.
    fn rewrite(
        &mut self,
        old: &[(Lane, Vec<(Seq, Pointer)>)],
        changes: &mut Changes,
    ) -> Result<Vec<(Lane, Seq, Pointer)>, SpoolError> {
        let mut placed = Vec::new();
        for (lane, frames) in old {
            let mut renamed = BTreeMap::new();
            for some in frames.chunks(8) {
                let packed: Vec<Packed> =
                    some.iter().filter_map(|frame| self.repack(*lane, frame, &mut renamed)).collect();
                for (packed, pointer) in packed.iter().zip(self.append(&packed)?) {
                    changes.frame(*lane, packed.header.seq, &pointer);
                    placed.push((*lane, packed.header.seq, pointer));
                }
            }
        }
        Ok(placed)
    }

    fn repack(
        &mut self,
        lane: Lane,
        (seq, pointer): &(Seq, Pointer),
        renamed: &mut BTreeMap<Seq, Seq>,
    ) -> Option<Packed> {
        let now = self.lanes.get(&lane).map_or(Seq::ZERO, |state| state.last).next();
        renamed.insert(*seq, now);
        let opened = self.segments.read(pointer).and_then(|stored| frame::open(&stored.bytes).ok());
        let (source, stamp, body) = match opened {
            Some((header, BodyV1::Data { source_name, envelopes })) => {
                let rename = |envelope: Envelope| match &envelope.body {
                    EnvelopeBody::Part { attempt, .. } | EnvelopeBody::LastPart { attempt, .. } => {
                        let attempt = renamed.get(attempt).copied().unwrap_or(now);
                        Clean::from_own_spool(envelope).with_attempt(attempt).into_inner()
                    }
                    _ => envelope,
                };
                let envelopes = envelopes.into_iter().map(rename).collect();
                (header.source, (header.key_id, header.policy), BodyV1::Data { source_name, envelopes })
            }
            Some((header, gap)) => (header.source, (header.key_id, header.policy), gap),
            None => {
                let reason = format!("frame {seq} was damaged on the agent's disk");
                (SourceId([0; 16]), (self.stamp.key_id, self.stamp.policy), BodyV1::Gap { reason })
            }
        };
        match self.pack(lane, source, stamp, &body) {
            Ok(packed) => Some(packed),
            Err(error) => {
                tracing::error!(%error, "spool: a frame can't be packed again");
                None
            }
        }
    }
}
