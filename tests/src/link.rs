//! A link for UDP and TCP that a test can cut, mend, make lossy, and have forget what is open.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A datagram at the most.
const DATAGRAM_BYTES: usize = 64 << 10;

/// How a part of the link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Everything goes through.
    Up,
    /// Nothing does; what TCP carries waits, as on a line that is cut for a while.
    Cut,
    /// Of a hundred datagrams, so many are lost. TCP mends that by itself.
    Lossy(u64),
}

/// A link to one address, the same port for UDP and TCP.
#[derive(Debug)]
pub struct Link {
    port: u16,
    udp: watch::Sender<Condition>,
    /// And how often connections were forgotten.
    tcp: watch::Sender<(Condition, u64)>,
    tasks: JoinSet<()>,
}

impl Link {
    /// A link from a free loopback port to `to`.
    ///
    /// # Errors
    /// The system's.
    pub async fn to(to: SocketAddr) -> Result<Self> {
        let (front, listener) = loop {
            let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            if let Ok(listener) = TcpListener::bind(front.local_addr()?).await {
                break (Arc::new(front), listener);
            }
        };
        let port = front.local_addr()?.port();
        let (udp, udp_seen) = watch::channel(Condition::Up);
        let (tcp, tcp_seen) = watch::channel((Condition::Up, 0));
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(front, to, udp_seen));
        tasks.spawn(accept(listener, to, tcp_seen));
        Ok(Self { port, udp, tcp, tasks })
    }

    /// Where agents connect.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Sets how all of it is from now on.
    pub fn set(&self, condition: Condition) {
        self.set_udp(condition);
        self.tcp.send_modify(|tcp| tcp.0 = condition);
    }

    /// Sets how UDP is from now on.
    pub fn set_udp(&self, condition: Condition) {
        self.udp.send_replace(condition);
    }

    /// Has TCP connections that are open stay so on both sides, with nothing between them any more.
    pub fn forget(&self) {
        self.tcp.send_modify(|tcp| tcp.1 += 1);
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, tcp: watch::Receiver<(Condition, u64)>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        let tcp = tcp.clone();
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(to).await else { return };
            let born = tcp.borrow().1;
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let there = carry(near_in, far_out, tcp.clone(), born);
            tokio::join!(there, carry(far_in, near_out, tcp, born));
        });
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut tcp: watch::Receiver<(Condition, u64)>,
    born: u64,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        if tcp.wait_for(|(condition, age)| *condition != Condition::Cut || *age != born).await.is_err() {
            return;
        }
        if tcp.borrow().1 != born {
            // Both ends stay open, and hear nothing any more.
            std::future::pending::<()>().await;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return drop(to.shutdown().await);
        }
    }
}

async fn forward(front: Arc<UdpSocket>, to: SocketAddr, condition: watch::Receiver<Condition>) {
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

async fn answer(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    condition: watch::Receiver<Condition>,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut seed = 2;
    loop {
        match back.recv(&mut buffer).await {
            Ok(length) if !is_lost(&condition, &mut seed) => {
                drop(front.send_to(&buffer[..length], client).await);
            }
            Ok(_) => {}
            // Nobody listens behind it at the moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn is_lost(condition: &watch::Receiver<Condition>, seed: &mut u64) -> bool {
    // Xorshift: any spread will do.
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    match *condition.borrow() {
        Condition::Up => false,
        Condition::Cut => true,
        Condition::Lossy(percent) => *seed % 100 < percent,
    }
}
