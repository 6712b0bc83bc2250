//! Numbering again: what the hub has not acknowledged moves, in order, into a new epoch; sanitized again where that is asked.

use certus_protocol::envelope::{BodyV1 as EnvelopeBody, Envelope};
use certus_protocol::frame::{self, BodyV1, Header, Packed};
use certus_protocol::ids::{Epoch, KeyId, Lane, PolicyHash, Seq, SourceId};
use certus_protocol::limits::{FRAME_CLOSE_BYTES, FRAME_ENVELOPES_MAX};
use certus_sanitizer::Clean;

use super::room::Pressed;
use super::{Again, Log, Sanitize, part};
use crate::spool::index::Changes;
use crate::spool::segment::Pointer;
use crate::spool::{LaneState, SpoolError, epoch};

/// Frames read and packed at a time.
const STEP_BYTES: u64 = 2 << 20;

/// How what is moved changes.
pub(super) enum Moving<'a, 'b> {
    /// In its numbers only.
    AsItIs,
    /// It is sanitized again; resources in parts are put together for that.
    Sanitized(&'a mut Sanitize<'b>),
}

/// What moving a lane carries from frame to frame.
struct Mover<'m, 'a, 'b> {
    lane: Lane,
    moving: &'m mut Moving<'a, 'b>,
    /// Number of the frame that holds the first part of the resource that is being packed.
    attempt: Option<Seq>,
    /// Parts that are being put together.
    joined: Vec<u8>,
}

impl Mover<'_, '_, '_> {
    /// What takes the place of an envelope.
    fn envelopes(&mut self, header: &Header, envelope: Envelope) -> Vec<Clean<Envelope>> {
        let Moving::Sanitized(again) = self.moving else { return vec![Clean::from_own_spool(envelope)] };
        let Envelope { document, body } = envelope;
        let body = match body {
            EnvelopeBody::Part { index, content, .. } => {
                if index == 0 {
                    self.joined.clear();
                }
                self.joined.extend(content);
                return Vec::new();
            }
            EnvelopeBody::LastPart { resource, content, .. } => {
                let mut joined = std::mem::take(&mut self.joined);
                joined.extend(content);
                EnvelopeBody::Whole { resource, content: joined }
            }
            other => other,
        };
        match again(header, Clean::from_own_spool(Envelope { document, body })) {
            Again::Keep(envelopes) => envelopes,
            Again::Withhold(reason) => {
                tracing::warn!(%document, reason, "spool: what was not sent yet is withheld under the new policy");
                Vec::new()
            }
        }
    }
}

impl Log {
    /// Numbers what is not acknowledged again, in epoch `wanted`.
    pub(super) fn renumber(&mut self, wanted: Epoch, moving: &mut Moving<'_, '_>) -> Result<(), SpoolError> {
        let after = Lane::ALL.map(|lane| (lane, self.let_go(lane)));
        self.renumber_after(&after, wanted, moving)
    }

    /// Numbers what comes after these again, from 1, in epoch `wanted`. The epoch's file goes first: a crash in
    /// between leaves it ahead of the index, and the next start does this again.
    pub(super) fn renumber_after(
        &mut self,
        after: &[(Lane, Seq)],
        wanted: Epoch,
        moving: &mut Moving<'_, '_>,
    ) -> Result<(), SpoolError> {
        if let Some(why) = &self.failing {
            return Err(SpoolError::Io(std::io::Error::other(why.clone())));
        }
        if let Err(error) = epoch::write(&*self.seams.epochs, wanted).map_err(SpoolError::from) {
            // The file may name the new epoch now, and then the next start would begin it.
            self.index_unknown = true;
            self.failed(&error);
            return Err(error);
        }
        let old: Vec<(LaneState, Seq)> =
            after.iter().map(|(lane, after)| (self.committed[lane], *after)).collect();
        let before = (self.epoch, self.lanes.clone(), self.attempts.clone());
        for lane in self.lanes.values_mut() {
            *lane = LaneState::new(lane.lane);
        }
        self.attempts.clear();
        let from = self.epoch;
        self.epoch = wanted;
        let mut placed = Vec::new();
        let moved = old
            .iter()
            .try_for_each(|(state, after)| self.move_lane(state, (from, *after), moving, &mut placed))
            .and_then(|()| self.index_epoch(&placed));
        if let Err(error) = moved {
            // What was placed is not accepted: the index does not name it. The epoch's file is ahead of the index, as
            // after a crash in between, so that the same is done: the spool is read anew, and numbered again.
            (self.epoch, self.lanes, self.attempts) = before;
            self.active = None;
            self.index_unknown = true;
            self.failed(&error);
            return Err(error);
        }
        {
            let mut held = self.catalog.change();
            held.gaps.clear();
            held.segments.values_mut().for_each(|segment| segment.spans.clear());
        }
        self.enter_in_catalog(&placed);
        self.committed.clone_from(&self.lanes);
        self.delete_segments(Pressed::No)
    }

    fn index_epoch(&mut self, placed: &[Pointer]) -> Result<(), SpoolError> {
        let mut changes = Changes::default();
        changes.epoch(self.epoch);
        self.lanes.values().for_each(|lane| changes.lane(lane));
        changes.accepted(placed, self.seams.clock.now_ms());
        let gaps: Vec<_> = self.catalog.read().gaps.keys().copied().collect();
        gaps.into_iter().for_each(|(lane, seq)| changes.forget_gap(lane, seq));
        self.commit_index(&changes)
    }

    /// Packs the frames of a lane again and appends them, a few at a time.
    fn move_lane(
        &mut self,
        state: &LaneState,
        (from, after): (Epoch, Seq),
        moving: &mut Moving<'_, '_>,
        placed: &mut Vec<Pointer>,
    ) -> Result<(), SpoolError> {
        let lane = state.lane;
        let mut mover = Mover { lane, moving, attempt: None, joined: Vec::new() };
        let mut at = after;
        while at < state.last {
            let pointers = self.catalog.after(lane, at, STEP_BYTES)?;
            let mut packed = Vec::new();
            if pointers.is_empty() {
                let next = self.catalog.next_after(lane, at)?.unwrap_or(state.last.next());
                let (first, last) = (at.next(), Seq(next.0 - 1));
                let reason =
                    format!("frames {first} to {last} of epoch {from} were lost on the agent's disk");
                packed.push(self.gap(lane, reason)?);
                at = last;
            }
            for pointer in pointers {
                at = pointer.entry.through;
                match self.segments.read(&pointer)?.and_then(|stored| frame::open(&stored.bytes).ok()) {
                    Some((header, body)) => packed.extend(self.repack(&mut mover, &header, body)?),
                    None => {
                        let seq = pointer.entry.seq;
                        let reason = format!("frame {seq} of epoch {from} was damaged on the agent's disk");
                        packed.push(self.gap(lane, reason)?);
                    }
                }
            }
            let mut these = Vec::new();
            self.append(&packed, &mut these)?;
            placed.append(&mut these);
        }
        Ok(())
    }

    fn gap(&mut self, lane: Lane, reason: String) -> Result<Packed, SpoolError> {
        let stamp = (self.stamp.key_id, self.stamp.policy);
        self.packed(lane, SourceId([0; 16]), stamp, &BodyV1::Gap { reason })
    }

    fn packed(
        &mut self,
        lane: Lane,
        source: SourceId,
        stamp: (KeyId, PolicyHash),
        body: &BodyV1,
    ) -> Result<Packed, SpoolError> {
        self.pack(lane, source, stamp, body).map_err(|error| SpoolError::Limit(error.to_string()))
    }

    /// The frames that take the place of one.
    fn repack(
        &mut self,
        mover: &mut Mover<'_, '_, '_>,
        header: &Header,
        body: BodyV1,
    ) -> Result<Vec<Packed>, SpoolError> {
        let lane = mover.lane;
        let (source_name, envelopes) = match body {
            BodyV1::Gap { reason } => return Ok(vec![self.gap(lane, reason)?]),
            BodyV1::Data { source_name, envelopes } => (source_name, envelopes),
        };
        let stamp = match mover.moving {
            Moving::AsItIs => (header.key_id, header.policy),
            Moving::Sanitized(_) => (self.stamp.key_id, self.stamp.policy),
        };
        let mut packed = Vec::new();
        let mut open: Vec<Envelope> = Vec::new();
        let mut bytes = 0;
        let moved: Vec<_> =
            envelopes.into_iter().flat_map(|envelope| mover.envelopes(header, envelope)).collect();
        let mut moved = moved.into_iter().peekable();
        while let Some(envelope) = moved.next() {
            bytes += envelope.cost_bytes();
            let envelope = match part(&envelope) {
                Some(0) => envelope.with_attempt(*mover.attempt.insert(self.lanes[&lane].last.next())),
                Some(_) => envelope.with_attempt(mover.attempt.unwrap_or(self.lanes[&lane].last.next())),
                None => envelope,
            };
            let is_part = part(&envelope).is_some();
            if matches!(envelope.body, EnvelopeBody::LastPart { .. })
                && let Some(first) = mover.attempt.take()
            {
                self.attempts.push((lane, first, self.lanes[&lane].last.next()));
            }
            open.push(envelope.into_inner());
            let closes = moved.peek().is_none_or(|next| {
                is_part
                    || part(next).is_some()
                    || bytes + next.cost_bytes() > FRAME_CLOSE_BYTES
                    || open.len() == FRAME_ENVELOPES_MAX
            });
            if closes {
                let envelopes = std::mem::take(&mut open);
                let body = BodyV1::Data { source_name: source_name.clone(), envelopes };
                packed.push(self.packed(lane, header.source, stamp, &body)?);
                bytes = 0;
            }
        }
        Ok(packed)
    }

    /// Finds, at the start, the resource in parts of which the hub has acknowledged some.
    pub(super) fn find_open_attempts(&mut self) -> Result<(), SpoolError> {
        for lane in Lane::ALL {
            let acked = self.committed[&lane].acked;
            let mut first = None;
            let mut at = acked;
            while let Some(pointer) = self.catalog.after(lane, at, 1)?.first() {
                let read = self.segments.read(pointer)?.and_then(|stored| frame::open(&stored.bytes).ok());
                let Some((_, BodyV1::Data { envelopes, .. })) = read else { break };
                let attempt = envelopes.iter().find_map(|envelope| match &envelope.body {
                    EnvelopeBody::Part { attempt, .. } => Some((*attempt, false)),
                    EnvelopeBody::LastPart { attempt, .. } => Some((*attempt, true)),
                    _ => None,
                });
                let Some((attempt, is_last)) = attempt.filter(|(attempt, _)| *attempt <= acked) else {
                    break;
                };
                first = Some(attempt);
                at = pointer.entry.through;
                if is_last {
                    self.attempts.push((lane, attempt, at));
                    first = None;
                    break;
                }
            }
            if let Some(first) = first {
                self.attempts.push((lane, first, at));
            }
        }
        Ok(())
    }
}
