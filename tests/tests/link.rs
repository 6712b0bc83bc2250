//! The ways to the hub: where UDP is closed TCP takes over and gives back, proxies let through, and whatever the
//! link does, everything arrives once.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::frames::{in_raw, without_holes};
use end_to_end::hub::Hub;
use end_to_end::link::{Condition, Link};
use end_to_end::proxy::Proxy;
use end_to_end::tree::{Random, write_files};
use end_to_end::until;

const TENANT: &str = "acme";

/// A hub behind a link, and an agent that is enrolled over it.
struct Far {
    folder: tempfile::TempDir,
    hub: Hub,
    link: Link,
    agent: Agent,
}

impl Far {
    async fn new(udp: Condition) -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let input = folder.path().join("input");
        fs::create_dir_all(&input)?;
        let hub = Hub::start(&folder.path().join("hub")).await?;
        let link = Link::to(([127, 0, 0, 1], hub.quic).into()).await?;
        link.set_udp(udp);
        let tree = SourceLines::new("tree", "folder", &input, "reconcile_seconds = 1");
        let agent = Agent::new(&folder.path().join("agent"), Some(&link.address()), &[tree])?;
        let token = hub.token(TENANT).await?;
        let (rest, _) = token.rsplit_once('.').unwrap_or_default();
        agent.enroll(&format!("{rest}.{}", link.address())).await?;
        Ok(Self { folder, hub, link, agent })
    }

    fn input(&self) -> PathBuf {
        self.folder.path().join("input")
    }

    async fn connected_by(&self, transport: &str, seconds: u64) -> Result<()> {
        until(&format!("a session by {transport}"), seconds, || async {
            let link = &self.agent.status()["link"];
            ensure!(link["connected"] == true && link["transport"] == transport, "{link}");
            Ok(())
        })
        .await
    }

    /// Everything is there, once, and the ledger knows of it.
    async fn arrived(mut self, files: usize) -> Result<()> {
        let api = self.hub.api(TENANT).await?;
        until("everything to arrive", 120, || async {
            let found = api.documents("tree").await?.len();
            ensure!(found == files, "{found} files of {files}: {}", self.agent.status()["link"]);
            Ok(())
        })
        .await?;
        let raw = in_raw(&self.hub.data())?;
        without_holes(&raw)?;
        ensure!(raw.keys().all(|(_, epoch, ..)| *epoch == 1), "a new epoch was begun");
        self.agent.command(&["ledger", "verify"]).await?;
        self.agent.stop().await?;
        self.link.close().await;
        self.hub.stop().await
    }
}

#[tokio::test]
async fn where_udp_is_closed_tcp_takes_over_within_a_second_and_gives_back() -> Result<()> {
    let mut far = Far::new(Condition::Cut).await?;
    far.link.set_udp(Condition::Up);
    let began = Instant::now();
    far.agent.run()?;
    far.connected_by("quic", 30).await?;
    let open = began.elapsed();
    far.agent.stop().await?;

    far.link.set_udp(Condition::Cut);
    fs::remove_file(far.agent.state().join("status.json"))?;
    let began = Instant::now();
    far.agent.run()?;
    far.connected_by("tcp", 30).await?;
    let closed = began.elapsed();
    ensure!(
        closed < open + Duration::from_secs(1),
        "{closed:?} where UDP is closed, {open:?} where it is open"
    );
    let mut random = Random::new(5);
    write_files(&far.input().join("by-tcp"), 100, &[], &mut random)?;
    until("the first files to be acknowledged", 30, || async {
        let bulk = &far.agent.status()["spool"]["lanes"]["bulk"];
        ensure!(bulk["acked"].as_u64() > Some(0), "{bulk}");
        Ok(())
    })
    .await?;

    far.link.set_udp(Condition::Up);
    far.connected_by("quic", 60).await?;
    write_files(&far.input().join("by-quic"), 100, &[], &mut random)?;
    far.arrived(200).await
}

#[tokio::test]
async fn udp_comes_and_goes_every_few_seconds() -> Result<()> {
    let mut far = Far::new(Condition::Up).await?;
    far.agent.run()?;
    let mut random = Random::new(6);
    for round in 0..10 {
        far.link.set_udp(if round % 2 == 0 { Condition::Cut } else { Condition::Up });
        for part in 0..10 {
            write_files(&far.input().join(format!("round{round}-{part}")), 10, &[], &mut random)?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    far.link.set_udp(Condition::Up);
    far.arrived(1_000).await
}

#[tokio::test]
async fn a_quic_that_loses_too_much_is_left() -> Result<()> {
    let mut far = Far::new(Condition::Up).await?;
    far.agent.run()?;
    far.connected_by("quic", 30).await?;
    far.link.set_udp(Condition::Lossy(40));
    let mut random = Random::new(7);
    write_files(&far.input().join("files"), 3_000, &[], &mut random)?;
    far.connected_by("tcp", 60).await?;
    far.arrived(3_000).await
}

#[tokio::test]
async fn tcp_that_is_open_on_one_side_only_is_noticed() -> Result<()> {
    let mut far = Far::new(Condition::Cut).await?;
    far.agent.run()?;
    far.connected_by("tcp", 30).await?;
    far.link.forget();
    write_files(&far.input().join("after"), 100, &[], &mut Random::new(8))?;
    far.arrived(100).await
}

#[tokio::test]
async fn over_a_proxy_that_asks_for_a_password() -> Result<()> {
    let mut far = Far::new(Condition::Cut).await?;
    let word: String = Random::new(9).prose(1).chars().filter(char::is_ascii_alphabetic).take(16).collect();
    let proxy = Proxy::start(&format!("agent:{word}")).await?;
    far.agent.configure_hub(&format!("proxy = \"http://agent:no@{}\"", proxy.address()))?;
    far.agent.run()?;
    until("the proxy to refuse", 60, || async {
        let problem = far.agent.status()["link"]["problem"].to_string();
        ensure!(problem.contains("407"), "{problem}");
        Ok(())
    })
    .await?;
    far.agent.stop().await?;
    ensure!(proxy.served().is_empty(), "{:?}", proxy.served());

    let text = fs::read_to_string(far.agent.config())?;
    fs::write(far.agent.config(), text.replace("agent:no@", &format!("agent:{word}@")))?;
    write_files(&far.input().join("files"), 100, &[], &mut Random::new(10))?;
    far.agent.run()?;
    far.connected_by("tcp", 30).await?;
    ensure!(proxy.served().contains(&far.link.address()), "{:?}", proxy.served());
    ensure!(!fs::read_to_string(far.agent.log())?.contains(&word), "the password stands in the log");
    far.arrived(100).await?;
    proxy.close().await;
    Ok(())
}
