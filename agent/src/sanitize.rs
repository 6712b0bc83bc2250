//! The stage between sources and spool: what a source read becomes clean envelopes, or is held back and listed.
//!
//! An [`Intake`] belongs to one source. It keeps the order, bounds what waits for durability, and answers for
//! checkpoints as if everything handed in were durable already; where durability fails, it forgets them again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use certus_protocol::ids::{DocumentId, Lane, SourceId};
use certus_sanitizer::{Clean, Format, Learn, Learnt, RawResource, Sanitizer, Text};
use tokio::runtime::Handle;

use crate::limits;
use crate::spool::{Batch, Receipt, Spool, SpoolError};
use crate::status::{LeftOut, SharedStatus};

/// What all sources share.
#[derive(Clone)]
pub struct Shared {
    /// Finds and replaces.
    pub sanitizer: Arc<Sanitizer>,
    /// How far values are remembered.
    pub learn: Learn,
    /// Where clean envelopes go.
    pub spool: Spool,
    /// Held by whoever has a large file in memory.
    pub large: Arc<Mutex<()>>,
    /// The runtime that the spool's answers come from.
    pub runtime: Handle,
}

/// The way of one source's resources into the spool. Blocks: it is used on the source's own thread.
pub struct Intake {
    shared: Shared,
    source: SourceId,
    name: Clean<Text>,
    lane: Lane,
    learnt: Learnt,
    status: SharedStatus,
    number: u64,
    receipts: VecDeque<HandedIn>,
    pending: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
}

/// A batch that is not known to be durable yet: its number, its checkpoints' keys.
type HandedIn = (u64, Vec<Vec<u8>>, Receipt);

/// A checkpoint: its key, and its value or that it is to be forgotten.
pub type Mark = (Vec<u8>, Option<Vec<u8>>);

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is on its way, as this document, under this sanitized path.
    Sent {
        /// The document.
        document: DocumentId,
        /// Its sanitized path.
        path: String,
    },
    /// The sanitizer could not make it clean.
    Held(String),
}

impl Intake {
    /// The intake of the source called `name`.
    pub fn new(
        shared: Shared,
        source: SourceId,
        name: Clean<Text>,
        lane: Lane,
        status: SharedStatus,
    ) -> Self {
        Self {
            shared,
            source,
            name,
            lane,
            learnt: Learnt::default(),
            status,
            number: 0,
            receipts: VecDeque::new(),
            pending: BTreeMap::new(),
        }
    }

    /// The source.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// What finds and replaces.
    pub fn sanitizer(&self) -> &Sanitizer {
        &self.shared.sanitizer
    }

    /// What all sources share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The source's status.
    pub fn status(&self) -> &SharedStatus {
        &self.status
    }

    /// Whether a source reads what is new twice: first to learn the values in it, then to hand it in.
    pub fn learns_first(&self) -> bool {
        self.shared.learn == Learn::Run
    }

    /// Remembers the values in a text that will be handed in, so that they are taken out wherever else they stand.
    /// What can't be read is held back when it is handed in.
    pub fn learn(&mut self, path: &str, text: &[u8], format: Format) {
        let (began, full) = (Instant::now(), self.learnt.is_full());
        if let Err(error) = self.shared.sanitizer.learn_at(path, text, format, &mut self.learnt) {
            tracing::debug!(%error, "sanitize: nothing learnt");
        }
        if self.learnt.is_full() && !full {
            tracing::warn!(
                source = self.name.text,
                "sanitize: more values than are remembered; some are taken out only where rules find them: split the source"
            );
        }
        self.status.lock().stages.sanitize_us += began.elapsed().as_micros() as u64;
    }

    /// Sanitizes a resource and hands it in, with the checkpoint that `mark` makes of what became of it.
    ///
    /// # Errors
    /// The spool failed; the source's reading begins again from its checkpoints.
    pub fn resource(
        &mut self,
        raw: &RawResource<'_>,
        mark: impl FnOnce(&Taken) -> Mark,
    ) -> Result<Taken, SpoolError> {
        let began = Instant::now();
        let learnt = match self.shared.learn {
            Learn::Off | Learn::Run => Ok(()),
            Learn::File => {
                self.learnt = Learnt::default();
                self.shared.sanitizer.learn_at(raw.path, raw.content, raw.format, &mut self.learnt)
            }
        };
        let outcome = learnt.and_then(|()| self.shared.sanitizer.resource(raw, &self.learnt));
        self.status.lock().stages.sanitize_us += began.elapsed().as_micros() as u64;
        match outcome {
            Ok(clean) => {
                let taken = Taken::Sent { document: clean.document, path: clean.path };
                {
                    let mut status = self.status.lock();
                    status.sent += 1;
                    for (type_name, count) in clean.redactions {
                        *status.redactions.entry(type_name).or_default() += count;
                    }
                }
                self.submit(clean.envelopes, vec![mark(&taken)])?;
                Ok(taken)
            }
            Err(error) => {
                let taken = Taken::Held(error.to_string());
                let mark = mark(&taken);
                self.mark(mark)?;
                Ok(taken)
            }
        }
    }

    /// Hands in the deletion of a document that was sent before, with the checkpoint that forgets it.
    ///
    /// # Errors
    /// The spool failed.
    pub fn tombstone(&mut self, document: DocumentId, path: &str, mark: Mark) -> Result<(), SpoolError> {
        let envelope = self
            .shared
            .sanitizer
            .tombstone_of(document, path)
            .map_err(|error| SpoolError::Limit(error.to_string()))?;
        self.status.lock().deleted += 1;
        self.submit(vec![envelope], vec![mark])
    }

    /// Hands in a checkpoint alone.
    ///
    /// # Errors
    /// The spool failed.
    pub fn mark(&mut self, mark: Mark) -> Result<(), SpoolError> {
        self.submit(Vec::new(), vec![mark])
    }

    /// Lists a resource that is left out, under its sanitized path.
    pub fn leave_out(&self, path: &str, why: &LeftOut) {
        self.status.lock().leave_out(path, why);
    }

    /// A path as it may be shown.
    pub fn shown(&self, path: &str) -> String {
        let shown = self.shared.sanitizer.string(path, certus_sanitizer::Place::Path);
        shown.map_or_else(|_| "(a path that can't be sanitized)".to_owned(), |text| text.into_inner().text)
    }

    /// A checkpoint, as if everything handed in were durable.
    ///
    /// # Errors
    /// The index failed.
    pub fn checkpoint(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        match self.pending.get(key) {
            Some((_, value)) => Ok(value.clone()),
            None => self.shared.spool.checkpoint(self.source, key),
        }
    }

    /// All checkpoints whose keys begin with `prefix`, in order, as if everything handed in before were durable.
    pub fn checkpoints(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), SpoolError>> + use<> {
        let pending: BTreeMap<Vec<u8>, Option<Vec<u8>>> = self
            .pending
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect();
        let mut pending = pending.into_iter().peekable();
        let mut stored = self.shared.spool.checkpoints(self.source, prefix).peekable();
        std::iter::from_fn(move || {
            loop {
                let ours = match (pending.peek(), stored.peek()) {
                    (None, None) => return None,
                    (_, Some(Err(_))) | (None, Some(_)) => return stored.next(),
                    (Some((ours, _)), Some(Ok((theirs, _)))) if theirs < ours => return stored.next(),
                    (Some((ours, _)), Some(Ok((theirs, _)))) if theirs == ours => {
                        drop(stored.next());
                        pending.next()
                    }
                    (Some(_), _) => pending.next(),
                };
                if let Some((key, Some(value))) = ours {
                    return Some(Ok((key, value)));
                }
            }
        })
    }

    /// Waits until everything handed in is durable; frames that wait for more are closed.
    ///
    /// # Errors
    /// The spool failed.
    pub fn flush(&mut self) -> Result<(), SpoolError> {
        let began = Instant::now();
        let flushed = self.shared.runtime.block_on(self.shared.spool.flush());
        while let Some((number, keys, receipt)) = self.receipts.pop_front() {
            let outcome = self.shared.runtime.block_on(receipt.durable());
            self.settled(number, &keys, outcome)?;
        }
        self.status.lock().stages.spool_us += began.elapsed().as_micros() as u64;
        flushed
    }

    /// Takes note of what has become durable; never waits.
    ///
    /// # Errors
    /// Something could not be made durable.
    pub fn settle(&mut self) -> Result<(), SpoolError> {
        while let Some((_, _, receipt)) = self.receipts.front_mut() {
            let Some(outcome) = receipt.outcome() else { break };
            if let Some((number, keys, _)) = self.receipts.pop_front() {
                self.settled(number, &keys, outcome)?;
            }
        }
        Ok(())
    }

    fn submit(
        &mut self,
        envelopes: Vec<Clean<certus_protocol::envelope::Envelope>>,
        marks: Vec<Mark>,
    ) -> Result<(), SpoolError> {
        let began = Instant::now();
        self.settle()?;
        if self.receipts.len() >= limits::RECEIPTS_MAX {
            self.flush()?;
        }
        self.number += 1;
        let keys: Vec<Vec<u8>> = marks.iter().map(|(key, _)| key.clone()).collect();
        for (key, value) in &marks {
            self.pending.insert(key.clone(), (self.number, value.clone()));
        }
        let batch = Batch {
            source: self.source,
            source_name: self.name.clone(),
            lane: self.lane,
            envelopes,
            checkpoints: marks,
        };
        let submitted = self.shared.runtime.block_on(self.shared.spool.submit(batch));
        self.status.lock().stages.spool_us += began.elapsed().as_micros() as u64;
        match submitted {
            Ok(receipt) => {
                self.receipts.push_back((self.number, keys, receipt));
                Ok(())
            }
            Err(error) => self.settled(self.number, &keys, Err(error)),
        }
    }

    /// Forgets what was pending: it stands in the index now, or it failed and all behind it is in doubt.
    fn settled(
        &mut self,
        number: u64,
        keys: &[Vec<u8>],
        outcome: Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        match outcome {
            Ok(()) => {
                for key in keys {
                    if self.pending.get(key).is_some_and(|(made, _)| *made == number) {
                        self.pending.remove(key);
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.receipts.clear();
                self.pending.clear();
                Err(error)
            }
        }
    }
}
