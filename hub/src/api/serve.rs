//! The API's connections: HTTP/1 and 2 by hyper, a graceful end. Who accepts them is `listen`.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::receive::quic::{ListenError, provider};

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 32 << 10;

/// TLS for the API, by a certificate of the hub's own CA.
///
/// # Errors
/// See [`ListenError`].
pub fn tls(authority: &Authority, names: &[String]) -> Result<rustls::ServerConfig, ListenError> {
    let failed = |error: rustls::Error| ListenError::Tls(error.to_string());
    let (chain, key) = authority.hub_certificate(names)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Serves connections.
#[derive(Clone)]
pub struct Http {
    builder: Builder<TokioExecutor>,
    router: Router,
}

impl Http {
    /// Serves `router`.
    pub fn new(router: Router) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_BYTES_MAX as u32)
            .max_concurrent_streams(64);
        Self { builder, router }
    }

    /// Serves one connection; after `stop`, what was asked for is answered, and no more.
    pub async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        stop: &CancellationToken,
    ) {
        let service = TowerToHyperService::new(self.router.clone());
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
