//! What the demo and the tests with real processes share: the two programs, a link between them, and a client.

pub mod agent;
pub mod api;
pub mod binaries;
pub mod frames;
pub mod hub;
pub mod leaks;
pub mod link;
pub mod process;
pub mod service;
pub mod tree;
pub mod wire;
pub mod world;

/// Asks again and again until there is an answer.
///
/// # Errors
/// There was none in time; `what` names it.
pub async fn until<T, F>(what: &str, seconds: u64, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Option<T>>,
{
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(seconds), asking)
        .await
        .map_err(|_| anyhow::anyhow!("waited {seconds} s in vain for {what}"))
}
