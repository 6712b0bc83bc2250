//! Getting a certificate with a join token: the hub is known by the token's pin, the agent by its secret.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certus_protocol::enroll::{EnrollAnswer, EnrollRequest, JoinToken};
use certus_protocol::ids::{ContentHash, Tenant};
use certus_protocol::{limits, message};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Gained, Identity, IdentityError};
use crate::ship::quic::{self, ConnectError};
use crate::ship::route::{Route, Transports};
use crate::ship::{start, tcp};

/// How long the hub may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the agent was not enrolled. No variant holds the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollError {
    /// It has an identity already: remove it on purpose to change hub or tenant.
    #[error("this agent is enrolled already ({0}); to enrol it anew, move its identity folder away first")]
    Already(String),
    /// No connection: see the cause.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The hub said no: get a new token.
    #[error("the hub refused the join token: {0}. Ask for a new one (`certus-hub token new`)")]
    Refused(String),
    /// The hub's answer can't be understood.
    #[error("the hub's answer to the enrolment can't be understood; is its version older than this agent's?")]
    Answer,
    /// The key could not be made.
    #[error("making the agent's key: {0}")]
    Key(#[from] rcgen::Error),
    /// The identity could not be written.
    #[error("writing the identity under {path}: {cause}")]
    Save {
        /// Where.
        path: std::path::PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// What was written can't be read back.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Enrols this agent: makes a key, asks the hub that the token names for a certificate, by `route`, and keeps both under
/// `state_dir`. `label` is what people call the host; it leaves this network as it is.
///
/// # Errors
/// See [`EnrollError`]; nothing is written unless all went well.
pub async fn enroll(
    token: &JoinToken,
    route: &Route,
    label: &str,
    state_dir: &Path,
) -> Result<Identity, EnrollError> {
    match Identity::load(state_dir) {
        Err(IdentityError::NotEnrolled) => {}
        Ok(identity) => {
            return Err(EnrollError::Already(format!("agent {} of {}", identity.agent, identity.tenant)));
        }
        Err(other) => return Err(other.into()),
    }
    let key = rcgen::KeyPair::generate()?;
    let request = EnrollRequest {
        secret: token.secret,
        csr_der: rcgen::CertificateParams::default().serialize_request(&key)?.der().to_vec(),
        label: label.chars().take(128).collect(),
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, ask(token, route, &request))
        .await
        .map_err(|_| ConnectError::unreachable(&token.hub, "it did not answer in time"))??;
    let (agent, tenant, chain_der, roots_der) = match answer {
        EnrollAnswer::Enrolled { agent, tenant, chain_der, roots_der } => {
            (agent, tenant, chain_der, roots_der)
        }
        EnrollAnswer::Refused { reason } => return Err(EnrollError::Refused(reason)),
    };
    let tenant: Tenant = tenant.parse().map_err(|_| EnrollError::Answer)?;
    if chain_der.is_empty() || roots_der.is_empty() {
        return Err(EnrollError::Answer);
    }
    let gained = Gained {
        agent,
        tenant,
        hub: token.hub.clone(),
        key_pem: zeroize::Zeroizing::new(key.serialize_pem()),
        chain: chain_der.into_iter().map(CertificateDer::from).collect(),
        roots: roots_der.into_iter().map(CertificateDer::from).collect(),
    };
    let saved = std::fs::create_dir_all(state_dir).and_then(|()| super::save(state_dir, &gained));
    saved.map_err(|cause| EnrollError::Save { path: super::folder(state_dir), cause })?;
    Ok(Identity::load(state_dir)?)
}

async fn ask(token: &JoinToken, route: &Route, request: &EnrollRequest) -> Result<EnrollAnswer, EnrollError> {
    let provider = quic::provider();
    let verifier = PinnedCa { pin: token.pin, provider: provider.clone() };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("aws-lc-rs knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let by_quic = async { quic::connect(&route.hub, tls.clone(), message::ALPN_ENROLL).await.map(Way::Quic) };
    let by_tcp = async { tcp::connect(route, tls.clone(), message::ALPN_ENROLL).await.map(Way::Tcp) };
    // Only the connections race: the token is good once.
    let way = match route.transports {
        Transports::Quic => by_quic.await?,
        Transports::Tcp => by_tcp.await?,
        Transports::Auto => {
            start::race(by_quic, by_tcp).await.map_err(|(quic, tcp)| ConnectError::both(quic, tcp))?
        }
    };
    let failed = |error: &dyn fmt::Display| ConnectError::Lost(error.to_string());
    match way {
        Way::Tcp(mut stream) => exchange(&mut stream, request).await,
        Way::Quic(connected) => {
            let stream = connected.connection.open_bi().await.map_err(|error| failed(&error))?;
            let answer = exchange(&mut tokio::io::join(stream.1, stream.0), request).await;
            connected.close().await;
            answer
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
enum Way {
    Quic(quic::Connected),
    Tcp(tcp::Stream),
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &EnrollRequest,
) -> Result<EnrollAnswer, EnrollError> {
    let failed = |error: io::Error| ConnectError::Lost(error.to_string());
    let request = request.encode();
    stream.write_u32_le(request.len() as u32).await.map_err(failed)?;
    stream.write_all(&request).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let length = stream.read_u32_le().await.map_err(failed)? as usize;
    if length > limits::MESSAGE_BYTES_MAX {
        return Err(EnrollError::Answer);
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.map_err(failed)?;
    EnrollAnswer::decode(&answer).map_err(|_| EnrollError::Answer)
}

/// Trusts exactly the CA whose certificate has the token's pin; the hub sends that certificate in its chain.
#[derive(Debug)]
struct PinnedCa {
    pin: ContentHash,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let pinned = intermediates.iter().find(|der| ContentHash::of(der) == self.pin).ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
