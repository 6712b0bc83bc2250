//! How fast the spool accepts, durably, beside a plain `write` and `fdatasync` of the same bytes in the same run.
#![expect(clippy::print_stdout, reason = "a bench's figures are its purpose")]

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certus_agent::clock::SystemClock;
use certus_agent::spool::{Batch, Owner, Receipt, Spool, SpoolConfig, Stamp, Volatile};
use certus_protocol::envelope::ResourceKind;
use certus_protocol::ids::{AgentId, KeyId, Lane, PolicyHash, SourceId};
use certus_sanitizer::{Format, Learnt, Place, Policy, PseudonymKey, RawResource, Sanitizer};

const ITEMS: usize = 50_000;
const ITEM_BYTES: usize = 1_024;
/// Items on their way at a time.
const IN_FLIGHT: usize = 1_024;
/// Plain writes, each synced; more would only take longer.
const PLAIN_SYNCED: usize = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let sanitizer = Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32]))?;
    let name = sanitizer.string("bench", Place::Path)?;
    let source = SourceId([4; 16]);
    let text: String = "lorem ipsum dolor sit amet consetetur ".repeat(27).chars().take(ITEM_BYTES).collect();
    let batch = |number: usize| -> Result<Batch, certus_sanitizer::SanitizeError> {
        let path = format!("file{number}");
        let content = format!("{number:08}{}", &text[8..]);
        let raw = RawResource {
            source,
            kind: ResourceKind::File,
            path: &path,
            reference: "",
            media_type: "text/plain",
            language: "",
            content: content.as_bytes(),
            format: Format::Text,
            modified_ms: None,
            attributes: Vec::new(),
        };
        let clean = sanitizer.resource(&raw, &Learnt::default())?;
        let checkpoints = vec![(path.into_bytes(), Some(vec![0; 100]))];
        Ok(Batch {
            source,
            source_name: name.clone(),
            lane: Lane::Bulk,
            envelopes: clean.envelopes,
            checkpoints,
        })
    };
    let batches: Vec<Batch> = (0..ITEMS).map(batch).collect::<Result<_, _>>()?;

    let mut config = SpoolConfig::new(folder.path().join("spool"));
    config.linger_ms = 2;
    config.free_bytes_min = 0;
    config.volatile = Volatile::Allow;
    let owner =
        Owner { tenant: "acme".parse()?, agent: AgentId([9; 16]), epoch_dir: folder.path().to_owned() };
    let stamp = Stamp { key_id: KeyId([1; 8]), policy: PolicyHash([2; 16]) };
    let spool = Spool::open(&config, owner, stamp, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (took, mut waits) = runtime.block_on(accept(spool, batches))?;
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "spool, durable, {IN_FLIGHT} in flight: {:.0} items/s, p50 {:.2} ms, p99 {:.2} ms",
        ITEMS as f64 / took.as_secs_f64(),
        at(50),
        at(99)
    );

    plain(&folder.path().join("plain"), text.as_bytes())
}

/// What the same bytes take without any of it.
fn plain(path: &Path, item_bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let began = Instant::now();
    for _ in 0..PLAIN_SYNCED {
        file.write_all(item_bytes)?;
        file.sync_data()?;
    }
    println!(
        "plain write + fdatasync of each: {:.0} items/s",
        PLAIN_SYNCED as f64 / began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    for item in 0..ITEMS {
        file.write_all(item_bytes)?;
        if item % IN_FLIGHT == IN_FLIGHT - 1 {
            file.sync_data()?;
        }
    }
    file.sync_data()?;
    println!(
        "plain write, fdatasync every {IN_FLIGHT}: {:.0} items/s",
        ITEMS as f64 / began.elapsed().as_secs_f64()
    );
    Ok(())
}

type Waiting = VecDeque<(Instant, Receipt)>;

async fn accept(
    spool: Spool,
    batches: Vec<Batch>,
) -> Result<(Duration, Vec<Duration>), certus_agent::spool::SpoolError> {
    let mut waiting: Waiting = VecDeque::new();
    let mut waits = Vec::with_capacity(batches.len());
    let began = Instant::now();
    for batch in batches {
        if waiting.len() >= IN_FLIGHT
            && let Some((since, receipt)) = waiting.pop_front()
        {
            receipt.durable().await?;
            waits.push(since.elapsed());
        }
        waiting.push_back((Instant::now(), spool.submit(batch).await?));
    }
    spool.flush().await?;
    for (since, receipt) in waiting {
        receipt.durable().await?;
        waits.push(since.elapsed());
    }
    let took = began.elapsed();
    spool.close().await?;
    Ok((took, waits))
}
