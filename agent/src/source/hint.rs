//! Hints that something changed, from the system's own notifications. They may be lost, late or too many; then all of
//! the source is read again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::limits;

/// Where hints come in.
pub(super) struct Hints {
    sender: SyncSender<PathBuf>,
    received: Receiver<PathBuf>,
    overflow: Arc<AtomicBool>,
}

impl Hints {
    /// None yet.
    pub(super) fn new() -> Self {
        let (sender, received) = sync_channel(limits::HINTS_MAX);
        Self { sender, received, overflow: Arc::default() }
    }

    /// The next path that changed, if there is one in time.
    pub(super) fn next(&self, wait: Duration) -> Option<PathBuf> {
        self.received.recv_timeout(wait).ok()
    }

    /// Forgets what has come so far.
    pub(super) fn clear(&self) {
        while self.received.try_recv().is_ok() {}
    }

    /// Whether hints were lost since it was asked last.
    pub(super) fn overflowed(&self) -> bool {
        self.overflow.swap(false, Ordering::SeqCst)
    }

    /// Begins to watch; `None` where the system does not, and reading now and then has to do.
    pub(super) fn watch(&self, watched: &[(PathBuf, bool)]) -> Option<RecommendedWatcher> {
        let (sender, overflow) = (self.sender.clone(), self.overflow.clone());
        let handler = move |event: notify::Result<Event>| {
            let Ok(event) = event else {
                overflow.store(true, Ordering::SeqCst);
                return;
            };
            if event.need_rescan() {
                overflow.store(true, Ordering::SeqCst);
            }
            if matches!(event.kind, EventKind::Access(kind) if !closes_a_write(kind)) {
                return;
            }
            for path in event.paths {
                if let Err(TrySendError::Full(_)) = sender.try_send(path) {
                    overflow.store(true, Ordering::SeqCst);
                }
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let watching = RecommendedWatcher::new(handler, config).and_then(|mut watcher| {
            for (path, with_all) in watched {
                let mode = if *with_all { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
                watcher.watch(path, mode)?;
            }
            Ok(watcher)
        });
        match watching {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                // Its paths may hold what must not be logged.
                let cause = notify::Error::new(error.kind);
                tracing::warn!(%cause, "source: the system gives no hints; all is read again now and then");
                None
            }
        }
    }
}

fn closes_a_write(kind: notify::event::AccessKind) -> bool {
    kind == notify::event::AccessKind::Close(notify::event::AccessMode::Write)
}
