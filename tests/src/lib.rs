//! What the demo and the tests with real processes share: the two programs, a link between them, and a client.

use std::time::Duration;

use anyhow::{Result, anyhow};

pub mod agent;
pub mod api;
pub mod binaries;
pub mod frames;
pub mod hub;
pub mod leaks;
pub mod link;
pub mod process;
pub mod proxy;
pub mod service;
pub mod tree;
pub mod wire;
pub mod world;

/// Asks again and again until the answer is no error.
///
/// # Errors
/// There was none in time; `what` names it, and the last error says what stood in the way.
pub async fn until<T, F>(what: &str, seconds: u64, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut last = anyhow!("no answer at all");
    let asking = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(seconds), asking).await {
        Ok(answer) => Ok(answer),
        Err(_) => Err(last.context(format!("waited {seconds} s in vain for {what}"))),
    }
}
