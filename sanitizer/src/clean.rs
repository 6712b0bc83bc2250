//! `Clean<T>`: the compiler's proof that a value has passed the sanitizer.
//!
//! Only this crate can make one. What takes a `Clean<T>` can't be handed anything that went around.

use std::ops::Deref;

use certus_protocol::envelope::{BodyV1, Envelope};
use certus_protocol::ids::Seq;

/// A value that has passed the sanitizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clean<T>(T);

impl<T> Clean<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value; the proof is gone.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Clean<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl Clean<Envelope> {
    /// The same part, as one of the try that began with frame `seq`; what is no part stays as it is.
    #[must_use]
    pub fn with_attempt(mut self, seq: Seq) -> Self {
        match &mut self.0.body {
            BodyV1::Part { attempt, .. } | BodyV1::LastPart { attempt, .. } => *attempt = seq,
            BodyV1::Whole { .. }
            | BodyV1::Abort { .. }
            | BodyV1::Tombstone { .. }
            | BodyV1::SnapshotEnd { .. } => {}
        }
        self
    }

    /// An envelope that was read back from a frame of this agent's own spool, to be packed again under other
    /// numbers; it passed the sanitizer before it was spooled.
    pub fn from_own_spool(envelope: Envelope) -> Self {
        Self(envelope)
    }
}
