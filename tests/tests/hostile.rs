//! Peers that mean no good: garbage, silence, frames past every limit. They cost the hub little and others nothing.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use certus_agent::identity::Identity;
use certus_agent::ship::pace::Pace;
use certus_agent::ship::route::Route;
use certus_agent::ship::{quic, tcp};
use certus_protocol::ids::{Epoch, KeyId, Lane, PolicyHash};
use certus_protocol::message::{GoodbyeReason, Hello, Message};
use end_to_end::agent::Agent;
use end_to_end::hub::Hub;
use end_to_end::tree::Random;
use end_to_end::until;

const TENANT: &str = "acme";
/// Connections that never say a word; CERTUS_HOSTILE_CONNECTIONS asks for others.
const CONNECTIONS: usize = 1_500;
/// What one of them may cost.
const PEER_KIB_MAX: u64 = 64;
/// What a peer with a certificate may cost.
const AGENT_KIB_MAX: u64 = 4 << 10;

fn resident_kib(process: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

#[tokio::test]
async fn silence_and_garbage_cost_little_and_harm_nobody() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let process = hub.id().context("the hub runs")?;
    let asked = std::env::var("CERTUS_HOSTILE_CONNECTIONS").ok().and_then(|count| count.parse().ok());
    let count: usize = asked.unwrap_or(CONNECTIONS);
    let before = resident_kib(process)?;
    let port = hub.quic;
    let peers = tokio::task::spawn_blocking(move || -> Result<Vec<TcpStream>> {
        let (mut random, udp) = (Random::new(1), UdpSocket::bind("127.0.0.1:0")?);
        (0..count)
            .map(|number| {
                let mut stream = TcpStream::connect(("127.0.0.1", port))?;
                let garbage: Vec<u8> = (0..1_300).map(|_| random.below(256) as u8).collect();
                if number % 2 == 0 {
                    // Whoever was sent away already hears nothing of it.
                    drop(stream.write_all(&garbage[..300]));
                }
                udp.send_to(&garbage, ("127.0.0.1", port))?;
                Ok(stream)
            })
            .collect()
    })
    .await??;
    let began = Instant::now();
    let agent = Agent::new(&folder.path().join("agent"), None, &[])?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    ensure!(began.elapsed() < Duration::from_secs(5), "an agent waited {:?}", began.elapsed());
    let cost = resident_kib(process)?.saturating_sub(before) / count as u64;
    ensure!(cost <= PEER_KIB_MAX, "{cost} KiB for each of {count} peers");
    drop(peers);
    hub.stop().await
}

#[tokio::test]
async fn an_agent_that_breaks_the_protocol_is_sent_away_by_either_way() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let agent = Agent::new(&folder.path().join("agent"), None, &[])?;
    agent.enroll(&hub.token(TENANT).await?).await?;
    let identity = Identity::load(&agent.state())?;
    let process = hub.id().context("the hub runs")?;
    let before = resident_kib(process)?;
    let address = format!("localhost:{}", hub.quic);
    for round in 0..8 {
        let (tls, pace) = (quic::session_tls(&identity)?, Arc::new(Pace::new(None)));
        let mut link = match round % 2 {
            0 => quic::open(&address, tls, pace).await?,
            _ => tcp::open(&Route::to(&address), tls, pace).await?,
        };
        link.say(hello(&identity)).await?;
        let mut ended = None;
        while let Some(Ok(message)) = link.messages.recv().await {
            match message {
                // 32 MiB of what is no frame.
                Message::Welcome(_) => {
                    link.lanes[&Lane::Bulk].send(vec![vec![0xa5; 32 << 20].into()]).await?;
                }
                Message::Goodbye(goodbye) => ended = Some(goodbye.reason),
                _ => {}
            }
        }
        ensure!(ended == Some(GoodbyeReason::Protocol), "round {round}: {ended:?}");
        link.close().await;
    }
    let cost = resident_kib(process)?.saturating_sub(before);
    ensure!(cost <= AGENT_KIB_MAX, "{cost} KiB");
    until("the hub to answer", 5, || async { hub.api(TENANT).await?.documents("tree").await }).await?;
    hub.stop().await
}

fn hello(identity: &Identity) -> Message {
    Message::Hello(Hello {
        wire_min: 1,
        wire_max: 1,
        agent: identity.agent,
        tenant: identity.tenant.to_string(),
        epoch: Epoch::FIRST,
        key_id: KeyId([1; 8]),
        policy: PolicyHash([2; 16]),
        program: "by hand".to_owned(),
        now_ms: 0,
    })
}
