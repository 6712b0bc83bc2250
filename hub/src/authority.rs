//! The hub's small certificate authority: who may speak as which agent of which tenant.
//!
//! CA key and certificate are files under `secrets/` and `ca.pem`, made when they are missing; they never go into the object
//! store. Join tokens are kept as hashes and burnt by compare-and-swap before a certificate is issued. Renewal,
//! rotation and revocation are not here yet.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certus_protocol::enroll::{EnrollAnswer, EnrollRequest, JoinToken};
use certus_protocol::ids::{AgentId, ContentHash, Tenant};
use certus_protocol::session::hub::Peer;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime,
};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::objects::{Key, Objects};
use crate::state::{self, StateError};

const CA_YEARS: i64 = 10;
const HUB_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
/// Certificates begin a little earlier, for clocks that are a little late.
const SLACK_MS: i64 = 5 * 60_000;

/// Why the authority could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file of its own.
    #[error("{path}: {cause}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What failed.
        cause: io::Error,
    },
    /// Making or signing failed.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Tokens and agents are kept in the store.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: CertificateDer<'static>,
    trust_domain: String,
    agent_days: i64,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
}

/// A join token as it is kept: by its hash, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TokenState {
    tenant: String,
    expires_ms: i64,
    used_by: Option<AgentId>,
}

/// An agent that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// Its id.
    pub agent: AgentId,
    /// Its tenant.
    pub tenant: String,
    /// What people call its host.
    pub label: String,
    /// Unix milliseconds.
    pub enrolled_ms: i64,
    /// The highest epoch that it came with; lower ones are not accepted.
    pub epoch: u32,
    /// When it was last connected, Unix milliseconds.
    pub seen_ms: Option<i64>,
}

/// Where an agent's state stands.
///
/// # Errors
/// Never for parsed names.
pub fn agent_key(tenant: &Tenant, agent: AgentId) -> Result<Key, crate::objects::ObjectsError> {
    Key::new(format!("state/agents/{tenant}/{agent}"))
}

impl Authority {
    /// Reads the CA from `data_dir`, or makes one.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub fn open(
        data_dir: &Path,
        trust_domain: &str,
        agent_days: i64,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthorityError> {
        let (key_path, ca_path) = (data_dir.join("secrets").join("ca.key"), ca_path(data_dir));
        if !key_path.exists() {
            make_ca(&key_path, &ca_path, trust_domain, clock.now_ms())?;
        }
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|cause| AuthorityError::File { path: path.to_owned(), cause })
        };
        let key_pem = zeroize::Zeroizing::new(read(&key_path)?);
        let ca_pem = read(&ca_path)?;
        let key = KeyPair::from_pem(&key_pem)?;
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|error| AuthorityError::File {
            path: ca_path.clone(),
            cause: io::Error::other(error),
        })?;
        let issuer = Issuer::from_ca_cert_der(&ca, key)?;
        Ok(Self { issuer, ca, trust_domain: trust_domain.to_owned(), agent_days, objects, clock })
    }

    /// The CA's certificate.
    pub fn ca(&self) -> &CertificateDer<'static> {
        &self.ca
    }

    /// A new single-use token for an agent of `tenant`, good for `ttl_ms`.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub async fn new_token(
        &self,
        tenant: &Tenant,
        hub: &str,
        ttl_ms: i64,
    ) -> Result<JoinToken, AuthorityError> {
        let token = JoinToken { hub: hub.to_owned(), pin: ContentHash::of(&self.ca), secret: random() };
        let state = TokenState {
            tenant: tenant.to_string(),
            expires_ms: self.clock.now_ms().saturating_add(ttl_ms),
            used_by: None,
        };
        state::update(&self.objects, &token_key(&token.secret)?, |_| Some(state.clone())).await?;
        Ok(token)
    }

    /// Answers a request to enrol. The token is burnt before anything is issued.
    ///
    /// # Errors
    /// The store failed; the agent may ask again.
    pub async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollAnswer, AuthorityError> {
        let refused = |reason: &str| Ok(EnrollAnswer::Refused { reason: reason.to_owned() });
        let csr_der = CertificateSigningRequestDer::from(request.csr_der.as_slice());
        let Ok(csr) = CertificateSigningRequestParams::from_der(&csr_der) else {
            return refused("the certificate request is not valid");
        };
        let agent = AgentId(uuid::Uuid::now_v7().into_bytes());
        let now_ms = self.clock.now_ms();
        let mut valid = None;
        let mut expired = false;
        state::update::<TokenState>(&self.objects, &token_key(&request.secret)?, |there| {
            let there = there?;
            expired = there.used_by.is_none() && there.expires_ms <= now_ms;
            valid = (there.used_by.is_none() && !expired).then(|| there.tenant.clone());
            valid.is_some().then_some(TokenState { used_by: Some(agent), ..there })
        })
        .await?;
        let Some(tenant) = valid.and_then(|tenant| tenant.parse::<Tenant>().ok()) else {
            return refused(if expired {
                "the token has expired"
            } else {
                "the token is unknown or was used already"
            });
        };
        let label: String = request.label.chars().filter(|c| !c.is_control()).take(128).collect();
        let known = AgentState {
            agent,
            tenant: tenant.to_string(),
            label,
            enrolled_ms: now_ms,
            epoch: 0,
            seen_ms: None,
        };
        state::update(&self.objects, &agent_key(&tenant, agent).map_err(StateError::from)?, |_| {
            Some(known.clone())
        })
        .await?;
        let certificate = self.agent_certificate(&tenant, agent, &csr)?;
        Ok(EnrollAnswer::Enrolled {
            agent,
            tenant: tenant.to_string(),
            chain_der: vec![certificate.to_vec(), self.ca.to_vec()],
            roots_der: vec![self.ca.to_vec()],
        })
    }

    /// A certificate and key for the hub itself, made out to `names`.
    ///
    /// # Errors
    /// See [`AuthorityError`].
    pub fn hub_certificate(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = named("certus-hub");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.dated(&mut params, HUB_DAYS);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![certificate.der().clone(), self.ca.clone()], key))
    }

    /// The request's key under names of our own; whatever names it asks for are ignored.
    fn agent_certificate(
        &self,
        tenant: &Tenant,
        agent: AgentId,
        csr: &CertificateSigningRequestParams,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&agent.to_string());
        let uri = format!("spiffe://{}/tenant/{tenant}/agent/{agent}", self.trust_domain);
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.dated(&mut params, self.agent_days);
        Ok(params.signed_by(&csr.public_key, &self.issuer)?.der().clone())
    }

    fn dated(&self, params: &mut CertificateParams, days: i64) {
        let now_ms = self.clock.now_ms();
        params.not_before = time_of(now_ms - SLACK_MS);
        params.not_after = time_of(now_ms + days * DAY_MS);
    }

    /// Who a verified client certificate is made out to; `None` where it names no agent of this trust domain.
    pub fn peer_of(&self, certificate: &CertificateDer<'_>) -> Option<Peer> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let names = &parsed.subject_alternative_name().ok()??.value.general_names;
        let [x509_parser::extensions::GeneralName::URI(uri)] = names.as_slice() else { return None };
        let path =
            uri.strip_prefix("spiffe://")?.strip_prefix(&self.trust_domain)?.strip_prefix("/tenant/")?;
        let (tenant, agent) = path.split_once("/agent/")?;
        Some(Peer { tenant: tenant.parse().ok()?, agent: agent.parse().ok()? })
    }
}

impl Authority {
    /// Whom a chain of certificates (DER) that this CA issued names, whenever that was, and the public key in it: what
    /// was signed with the key is known by it when the certificate's time is long over.
    pub fn certified(&self, chain: &[Vec<u8>]) -> Option<(Peer, Vec<u8>)> {
        let (leaf, between) = chain.split_first()?;
        let leaf = CertificateDer::from(leaf.as_slice());
        let between: Vec<CertificateDer<'_>> =
            between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let (_, parsed) = x509_parser::parse_x509_certificate(&leaf).ok()?;
        let issued = u64::try_from(parsed.validity().not_before.timestamp()).ok()?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.ca.clone()).ok()?;
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            crate::receive::quic::provider(),
        );
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(issued));
        verifier.build().ok()?.verify_client_cert(&leaf, &between, at).ok()?;
        let key = parsed.public_key().subject_public_key.data.to_vec();
        Some((self.peer_of(&leaf)?, key))
    }
}

/// Where the CA's certificate stands, for whoever has to trust it.
pub fn ca_path(data_dir: &Path) -> PathBuf {
    data_dir.join("ca.pem")
}

fn make_ca(key_path: &Path, ca_path: &Path, trust_domain: &str, now_ms: i64) -> Result<(), AuthorityError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Certus CA of {trust_domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = time_of(now_ms - SLACK_MS);
    params.not_after = time_of(now_ms + CA_YEARS * 365 * DAY_MS);
    let certificate = params.self_signed(&key)?;
    // The certificate first: a key without one would look like a CA.
    write_secret(ca_path, certificate.pem().as_bytes())?;
    write_secret(key_path, zeroize::Zeroizing::new(key.serialize_pem()).as_bytes())
}

/// Writes a file of ours, 0600, whole or not at all, durable.
///
/// # Errors
/// The file system's.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    let write = || -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let draft = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        fs::File::open(parent)?.sync_all()
    };
    write().map_err(|cause| AuthorityError::File { path: path.to_owned(), cause })
}

/// A secret of the hub's own, read from `secrets/`, made where it is missing.
///
/// # Errors
/// The file system's, or a file of another length.
pub fn secret(data_dir: &Path, name: &str) -> Result<[u8; 32], AuthorityError> {
    let path = data_dir.join("secrets").join(name);
    if !path.exists() {
        write_secret(&path, &random())?;
    }
    let bytes = fs::read(&path).map_err(|cause| AuthorityError::File { path: path.clone(), cause })?;
    bytes.try_into().map_err(|_| AuthorityError::File {
        path,
        cause: io::Error::new(io::ErrorKind::InvalidData, "a secret must have 32 bytes"),
    })
}

/// 32 bytes from the system's generator.
///
/// # Panics
/// The system has no randomness; nothing may go on without.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's generator works");
    bytes
}

fn token_key(secret: &[u8; 32]) -> Result<Key, StateError> {
    Ok(Key::new(format!("state/tokens/{}", ContentHash::of(secret)))?)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn time_of(unix_ms: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(unix_ms / 1_000).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}
