//! The one thread that writes: drives the log by what it is asked and by the time.

use std::fs::File;
use std::time::Duration;

use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::log::{Done, Due, Log, Sanitize, Waiter};
use super::{Batch, SpoolError, Stamp, State};
use crate::limits;

/// What the writer is asked to do.
pub(super) enum Command {
    Accept(Batch, Waiter),
    /// Somebody waits for room that open frames hold.
    Hurry,
    Acked {
        lane: Lane,
        through: Seq,
        hash: ContentHash,
        done: Done<()>,
    },
    NewEpoch(Done<Epoch>),
    Replay(i64, Done<i64>),
    Resanitize(Stamp, Box<Sanitize<'static>>, Done<Epoch>),
    Flush(Waiter),
    Close(Done<()>),
}

pub(super) struct Writer {
    log: Log,
    /// Held as long as the spool is open.
    lock: File,
    state: watch::Sender<State>,
    began: Instant,
}

impl Writer {
    /// A writer over an open log, and what is in the spool as it changes.
    pub(super) fn new(log: Log, lock: File) -> (Self, watch::Receiver<State>) {
        let (state, watched) = watch::channel(log.state());
        (Self { log, lock, state, began: Instant::now() }, watched)
    }

    /// Serves until closed or until every handle is gone.
    pub(super) fn run(mut self, commands: mpsc::Receiver<Command>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "spool: the writer can't start");
                return;
            }
        };
        let closed = runtime.block_on(self.serve(commands));
        let now_ms = self.now_ms();
        self.log.close(now_ms);
        let outcome = match self.log.state().blocked {
            Some(why) => Err(SpoolError::Io(std::io::Error::other(why))),
            None => Ok(()),
        };
        let Self { log, lock, state, .. } = self;
        drop((log, lock, state));
        if let Some(closed) = closed {
            // Whoever closes learns of it after lock and files are let go.
            answer(closed, outcome);
        }
    }

    async fn serve(&mut self, mut commands: mpsc::Receiver<Command>) -> Option<Done<()>> {
        loop {
            let first = match self.log.deadline_ms() {
                None => commands.recv().await,
                Some(at) => {
                    match tokio::time::timeout_at(self.began + Duration::from_millis(at), commands.recv())
                        .await
                    {
                        Ok(command) => command,
                        Err(_) => {
                            self.tick();
                            continue;
                        }
                    }
                }
            };
            let group_ends = Instant::now() + Duration::from_millis(limits::GROUP_WAIT_MS);
            let mut next = first;
            loop {
                if let Some(closing) = self.take(next?) {
                    return Some(closing);
                }
                if self.log.is_due() {
                    break;
                }
                match tokio::time::timeout_at(group_ends, commands.recv()).await {
                    Ok(command) => next = command,
                    Err(_) => break,
                }
            }
            self.tick();
        }
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms();
        self.log.tick(now_ms, Due::Late);
        self.publish();
    }

    fn take(&mut self, command: Command) -> Option<Done<()>> {
        let now_ms = self.now_ms();
        match command {
            Command::Accept(batch, done) => self.log.accept(batch, done, now_ms),
            Command::Hurry => self.log.close_frames(Due::All),
            Command::Acked { lane, through, hash, done } => {
                let outcome = self.log.acked(lane, through, hash, now_ms);
                self.publish();
                answer(done, outcome);
            }
            Command::NewEpoch(done) => {
                let outcome = self.log.new_epoch(now_ms);
                self.publish();
                answer(done, outcome);
            }
            Command::Replay(since_ms, done) => {
                let outcome = self.log.replay(since_ms, now_ms);
                self.publish();
                answer(done, outcome);
            }
            Command::Resanitize(stamp, mut again, done) => {
                let outcome = self.log.resanitize(stamp, &mut *again, now_ms);
                self.publish();
                answer(done, outcome);
            }
            Command::Flush(done) => self.log.flush(done),
            Command::Close(done) => return Some(done),
        }
        None
    }

    fn publish(&self) {
        let state = self.log.state();
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }
}

/// Whoever asked may have gone; then nobody has to know.
fn answer<T>(done: Done<T>, outcome: Result<T, SpoolError>) {
    drop(done.send(outcome));
}
