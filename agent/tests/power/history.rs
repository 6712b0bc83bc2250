//! What is done to the spool: small histories that pass every kind of step.

use certus_protocol::ids::Lane;

/// One thing that is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A batch with one envelope of so many bytes is handed in.
    Accept(Lane, usize),
    /// A batch with a resource in so many parts is handed in.
    Parts(Lane, u32),
    /// Time passes: what is late is written.
    Tick,
    /// The hub gets so many frames, and acknowledges them.
    Deliver(Lane, usize),
    /// What is not acknowledged is numbered again.
    NewEpoch,
    /// The spool is closed and opened.
    Restart,
}

use Step::{Accept, Deliver, NewEpoch, Parts, Restart, Tick};

/// The histories, by name.
pub(crate) fn histories() -> Vec<(&'static str, Vec<Step>)> {
    let (fast, slow) = (Lane::Interactive, Lane::Bulk);
    let several = |count: usize| (0..count).flat_map(move |n| [Accept(slow, 300 + 90 * n), Tick]);
    let mut segments: Vec<Step> = several(12).collect();
    segments.extend([Deliver(slow, 5), Tick, Deliver(slow, 4), Tick, Restart, Accept(slow, 10), Tick]);
    let mut epochs: Vec<Step> = several(5).collect();
    epochs.extend([Accept(fast, 50), Tick, Deliver(slow, 2), Tick, NewEpoch, Accept(slow, 10), Tick]);
    epochs.extend([Deliver(slow, 1), Restart, Accept(fast, 5), NewEpoch, Tick]);
    let parts = vec![
        Accept(slow, 9),
        Parts(slow, 3),
        Tick,
        Deliver(slow, 2),
        Tick,
        NewEpoch,
        Parts(fast, 2),
        Tick,
        Restart,
        Deliver(slow, 9),
        Accept(slow, 1),
        Tick,
    ];
    let groups = vec![
        Accept(slow, 100),
        Accept(fast, 100),
        Accept(slow, 2_000),
        Accept(slow, 3_000),
        Accept(fast, 3_500),
        Tick,
        Accept(slow, 100),
        Restart,
        Deliver(fast, 1),
        Deliver(slow, 1),
        Tick,
        Accept(fast, 1),
        Tick,
    ];
    vec![("segments", segments), ("parts", parts), ("epochs", epochs), ("groups", groups)]
}

/// More than fits, so that the oldest unsent frames of the bulk lane go; and the bound, in bytes.
pub(crate) fn dropping() -> (u64, Vec<Step>) {
    let mut history: Vec<Step> = (0..330).flat_map(|_| [Accept(Lane::Bulk, 10), Tick]).collect();
    history.extend([Accept(Lane::Interactive, 10), Tick, Deliver(Lane::Bulk, 280), Tick, Restart]);
    history.extend((0..40).flat_map(|_| [Accept(Lane::Bulk, 10), Tick]));
    history.extend([Deliver(Lane::Bulk, 30), NewEpoch, Accept(Lane::Bulk, 5), Tick, Deliver(Lane::Bulk, 5)]);
    (DROPPING_BYTES, history)
}

/// The window of frames that may be on their way, and some segments more.
const DROPPING_BYTES: u64 = 44 * 4_096;
