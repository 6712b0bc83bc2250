//! A link for UDP that a test can cut, mend, delay and make lossy.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A datagram at the most.
const DATAGRAM_BYTES: usize = 64 << 10;

/// How the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Everything goes through.
    Up,
    /// Nothing does.
    Cut,
    /// Of a hundred datagrams, so many are lost.
    Lossy(u64),
}

/// A link to one address.
#[derive(Debug)]
pub struct Link {
    port: u16,
    condition: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Link {
    /// A link from a free loopback port to `to`.
    ///
    /// # Errors
    /// The system's.
    pub async fn to(to: SocketAddr) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let port = front.local_addr()?.port();
        let condition = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(front, to, condition.clone()));
        Ok(Self { port, condition, tasks })
    }

    /// Where agents connect.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Sets how it is from now on.
    pub fn set(&self, condition: Condition) {
        let lost = match condition {
            Condition::Up => 0,
            Condition::Lossy(percent) => percent.min(99),
            Condition::Cut => 100,
        };
        self.condition.store(lost, Ordering::SeqCst);
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn forward(front: Arc<UdpSocket>, to: SocketAddr, condition: Arc<AtomicU64>) {
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut backward = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut seed = 1;
    loop {
        let Ok((length, client)) = front.recv_from(&mut buffer).await else { continue };
        if is_lost(&condition, &mut seed) {
            continue;
        }
        let back = match clients.get(&client) {
            Some(back) => back.clone(),
            None => {
                let Ok(back) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
                if back.connect(to).await.is_err() {
                    continue;
                }
                let back = Arc::new(back);
                backward.spawn(answer(back.clone(), front.clone(), client, condition.clone()));
                clients.insert(client, back.clone());
                back
            }
        };
        // A datagram that can't be sent is lost, as on any link.
        drop(back.send(&buffer[..length]).await);
    }
}

async fn answer(back: Arc<UdpSocket>, front: Arc<UdpSocket>, client: SocketAddr, condition: Arc<AtomicU64>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut seed = 2;
    loop {
        match back.recv(&mut buffer).await {
            Ok(length) if !is_lost(&condition, &mut seed) => {
                drop(front.send_to(&buffer[..length], client).await);
            }
            Ok(_) => {}
            // Nobody listens behind it at the moment.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

fn is_lost(condition: &AtomicU64, seed: &mut u64) -> bool {
    // Xorshift: any spread will do.
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % 100 < condition.load(Ordering::SeqCst)
}
