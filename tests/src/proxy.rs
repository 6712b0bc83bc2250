//! A proxy of the test's own: opens ways by CONNECT to who knows the password, and tells whom it served.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    served: Arc<Mutex<Vec<String>>>,
    tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy on a free loopback port for who knows `credentials`, `user:password`.
    ///
    /// # Errors
    /// The system's.
    pub async fn start(credentials: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (served, credentials) = (Arc::<Mutex<Vec<String>>>::default(), credentials.to_owned());
        let told = served.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, credentials) = (told.clone(), credentials.clone());
                ways.spawn(async move { drop(serve(stream, &credentials, &told).await) });
            }
        });
        Ok(Self { address, served, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// To whom ways were opened, in order.
    pub fn served(&self) -> Vec<String> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(mut stream: TcpStream, credentials: &str, served: &Mutex<Vec<String>>) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
        ensure!(request.len() < 8192, "a request without end");
    }
    let request = String::from_utf8(request)?;
    let to = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).context("CONNECT")?;
    let expected = data_encoding::BASE64.encode(credentials.as_bytes());
    if !request.contains(&format!("Proxy-Authorization: Basic {expected}\r\n")) {
        let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
        return Ok(stream.write_all(answer).await?);
    }
    let mut far = TcpStream::connect(to).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    served.lock().unwrap_or_else(PoisonError::into_inner).push(to.to_owned());
    tokio::io::copy_bidirectional(&mut stream, &mut far).await?;
    Ok(())
}
