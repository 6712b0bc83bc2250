//! The happy start: QUIC begins, TLS over TCP a moment later, and the first that is useful wins. What won is remembered
//! over restarts; QUIC is tried again now and then, and left where it loses too much.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::link::Transport;
use super::quic::ConnectError;
use super::route::Transports;
use super::session::{Failure, Greeted, Session};
use super::{Ship, quic, tcp};

/// How long the second way waits for the first.
pub const HEAD_START: Duration = Duration::from_millis(300);
/// How long TCP goes on trying while QUIC still does.
const PATIENCE: Duration = Duration::from_secs(10);
const TCP_RETRY: Duration = Duration::from_secs(1);
/// How long it is remembered that TCP won.
const REMEMBERED_MS: i64 = 3_600_000;
/// Waits before QUIC is tried again while TCP carries.
const PROBE_FIRST: Duration = Duration::from_secs(5);
const PROBE_LONGEST: Duration = Duration::from_secs(300);
/// The same where QUIC was left since it lost too much.
const LOSSY_FIRST: Duration = Duration::from_secs(60);
const LOSSY_LONGEST: Duration = Duration::from_secs(3_600);

/// Which way to try first, and what was learnt of QUIC.
#[derive(Debug)]
pub(super) struct Choice {
    path: PathBuf,
    preferred: Transport,
    lossy: u32,
    avoid_until: Option<Instant>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    transport: Transport,
    at_ms: i64,
}

impl Choice {
    /// What was remembered under `state_dir`, if it is fresh.
    pub(super) fn load(state_dir: &Path, now_ms: i64) -> Self {
        let path = state_dir.join("link.json");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let fresh = serde_json::from_str::<Remembered>(&text)
            .ok()
            .filter(|known| (0..REMEMBERED_MS).contains(&now_ms.saturating_sub(known.at_ms)));
        let preferred = fresh.map_or(Transport::Quic, |known| known.transport);
        Self { path, preferred, lossy: 0, avoid_until: None }
    }

    /// A way was useful.
    pub(super) fn useful(&mut self, transport: Transport, now_ms: i64) {
        self.preferred = transport;
        let remembered = Remembered { transport, at_ms: now_ms };
        let written = || -> std::io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(&remembered)?)?;
            file.persist(&self.path).map(drop).map_err(|error| error.error)
        };
        if let Err(error) = written() {
            // Without it the next start is a moment slower.
            tracing::debug!(%error, "link.json can't be written");
        }
    }

    /// Another way is to be tried first.
    pub(super) fn prefer(&mut self, transport: Transport) {
        self.preferred = transport;
    }

    /// QUIC lost too much: it is not tried for a while, each time longer.
    pub(super) fn is_lossy(&mut self) {
        let wait = LOSSY_FIRST.saturating_mul(1 << self.lossy.min(6)).min(LOSSY_LONGEST);
        self.lossy += 1;
        self.avoid_until = Some(Instant::now() + wait);
        self.preferred = Transport::Tcp;
    }

    /// How long to wait before QUIC is tried again while TCP carries.
    pub(super) fn probe_wait(&self) -> Duration {
        self.avoid_until.map_or(PROBE_FIRST, |until| PROBE_FIRST.max(until - Instant::now()))
    }
}

/// Opens a session by the first way that is useful.
pub(super) async fn greet<'a>(ship: &'a Ship, choice: &Choice) -> Result<Greeted<'a>, Failure> {
    match ship.route.transports {
        Transports::Quic => return by(ship, Transport::Quic).await,
        Transports::Tcp => return by(ship, Transport::Tcp).await,
        Transports::Auto => {}
    }
    let (quic, tcp) = (by(ship, Transport::Quic), patiently(ship));
    let raced = match choice.preferred {
        Transport::Quic => race(quic, tcp).await,
        Transport::Tcp => race(tcp, quic).await.map_err(|(tcp, quic)| (quic, tcp)),
    };
    raced.map_err(|(quic, tcp)| worse(quic, tcp))
}

/// Runs `first`, and `second` as well once [`HEAD_START`] is over or `first` has failed; what succeeds first wins.
///
/// # Errors
/// Both failed.
pub async fn race<T, E>(
    first: impl Future<Output = Result<T, E>>,
    second: impl Future<Output = Result<T, E>>,
) -> Result<T, (E, E)> {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    match tokio::time::timeout(HEAD_START, first.as_mut()).await {
        Ok(Ok(won)) => return Ok(won),
        Ok(Err(failed)) => return second.await.map_err(|error| (failed, error)),
        Err(_) => {}
    }
    tokio::select! {
        ended = first.as_mut() => match ended {
            Ok(won) => Ok(won),
            Err(failed) => second.await.map_err(|error| (failed, error)),
        },
        ended = second.as_mut() => match ended {
            Ok(won) => Ok(won),
            Err(failed) => first.await.map_err(|error| (error, failed)),
        },
    }
}

/// Opens a session by one way.
pub(super) async fn by(ship: &Ship, transport: Transport) -> Result<Greeted<'_>, Failure> {
    let tls = quic::session_tls(&ship.identity)?;
    let link = match transport {
        Transport::Quic => quic::open(&ship.route.hub, tls, ship.pace.clone()).await?,
        Transport::Tcp => tcp::open(&ship.route, tls, ship.pace.clone()).await?,
    };
    Session::greet(ship, link).await
}

/// TCP says at once that nobody listens; a hub that comes up a moment later is not to wait for that.
async fn patiently(ship: &Ship) -> Result<Greeted<'_>, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        match by(ship, Transport::Tcp).await {
            Err(Failure::Link(ConnectError::Unreachable { .. })) if Instant::now() + TCP_RETRY < until => {
                tokio::time::sleep(TCP_RETRY).await;
            }
            ended => return ended,
        }
    }
}

/// Resolves once QUIC is useful again; asks more and more seldom.
pub(super) async fn quic_is_useful(ship: &Ship, mut wait: Duration) {
    loop {
        tokio::time::sleep(wait.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        if is_useful(ship, Transport::Quic).await {
            return;
        }
        wait = (wait * 2).min(PROBE_LONGEST.max(wait));
    }
}

/// Whether the hub welcomes this agent by that way; the session is ended again at once.
pub(super) async fn is_useful(ship: &Ship, transport: Transport) -> bool {
    match by(ship, transport).await {
        Ok(Greeted::Open(session)) => {
            session.leave().await;
            true
        }
        Ok(Greeted::Ended(_)) | Err(_) => false,
    }
}

/// Of two failures, the one that says more.
fn worse(quic: Failure, tcp: Failure) -> Failure {
    match (quic, tcp) {
        (Failure::Ship(error), _) | (_, Failure::Ship(error)) => Failure::Ship(error),
        (Failure::Held(why), _) | (_, Failure::Held(why)) => Failure::Held(why),
        (Failure::Link(quic), Failure::Link(tcp)) => Failure::Link(ConnectError::both(quic, tcp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(ms: u64, outcome: Result<u64, u64>) -> Result<u64, u64> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        outcome
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_way_starts_after_a_moment_or_at_once_where_the_first_fails() {
        let began = Instant::now();
        let took = || began.elapsed().as_millis() as u64;
        assert_eq!(race(after(299, Ok(1)), after(0, Ok(2))).await, Ok(1));
        assert_eq!(took(), 299);
        assert_eq!(race(after(60_000, Ok(1)), after(50, Ok(2))).await, Ok(2));
        assert_eq!(took(), 299 + 350);
        assert_eq!(race(after(10, Err(1)), after(50, Ok(2))).await, Ok(2));
        assert_eq!(took(), 299 + 350 + 60);
        assert_eq!(race(after(900, Ok(1)), after(50, Err(2))).await, Ok(1));
        assert_eq!(race(after(500, Err(1)), after(10, Err(2))).await, Err((1, 2)));
    }

    #[test]
    fn a_choice_is_remembered_for_an_hour() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut choice = Choice::load(folder.path(), 0);
        assert_eq!(choice.preferred, Transport::Quic);
        choice.useful(Transport::Tcp, 1_000);
        assert_eq!(Choice::load(folder.path(), 2_000).preferred, Transport::Tcp);
        assert_eq!(Choice::load(folder.path(), 1_000 + REMEMBERED_MS).preferred, Transport::Quic);
        assert_eq!(
            Choice::load(folder.path(), 0).preferred,
            Transport::Quic,
            "a time to come is not trusted"
        );
    }
}
