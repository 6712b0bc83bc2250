//! The hub: receive → store → pipeline → index; answers read.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::serve::Http;
use crate::api::{self, ApiState};
use crate::authority::{self, Authority, AuthorityError};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::events::Metrics;
use crate::index::tantivy::Tantivy;
use crate::index::{Index, IndexError};
use crate::keys::Keys;
use crate::listen::{self, Door, Tls};
use crate::objects::Objects;
use crate::objects::folder::Folder;
use crate::pipeline::Pipeline;
use crate::quarantine::Quarantine;
use crate::queue::{Embedded, Queue};
use crate::receipts::Receipts;
use crate::receive::{Receive, quic};

/// Why the hub stopped or could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A folder or file of its own.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Its certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Its ports.
    #[error(transparent)]
    Listen(#[from] quic::ListenError),
    /// Its search index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The second scan's rules.
    #[error(transparent)]
    Rules(#[from] certus_sanitizer::RulesError),
    /// Another process works on the same folder.
    #[error("another certus-hub works on {0}; stop that one first")]
    Locked(std::path::PathBuf),
    /// A stage ended that should not.
    #[error("the {0} stage failed")]
    Stage(&'static str),
}

/// What every command works with.
pub struct Parts {
    /// The object store.
    pub objects: Arc<dyn Objects>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The API keys.
    pub keys: Keys,
    /// The certificate authority.
    pub authority: Arc<Authority>,
    /// Signs what is stored.
    pub receipts: Arc<Receipts>,
}

impl Parts {
    /// Opens what lies under `config.data_dir`; makes it where it is missing.
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn open(config: &Config) -> Result<Self, HubError> {
        let objects: Arc<dyn Objects> = Arc::new(Folder::open(&config.data_dir.join("objects"))?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = Keys::new(objects.clone(), clock.clone());
        let days = config.agent_certificate_days;
        let authority =
            Authority::open(&config.data_dir, &config.trust_domain, days, objects.clone(), clock.clone())?;
        let receipts = Arc::new(Receipts::open(&config.data_dir, objects.clone(), clock.clone())?);
        Ok(Self { objects, clock, keys, authority: Arc::new(authority), receipts })
    }

    /// The pipeline over these parts.
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn pipeline(&self, config: &Config, metrics: Arc<Metrics>) -> Result<Arc<Pipeline>, HubError> {
        let index: Arc<dyn Index> = Arc::new(Tantivy::open(&config.data_dir.join("index"))?);
        let queue: Arc<dyn Queue> = Arc::new(Embedded::default());
        let key = authority::secret(&config.data_dir, "quarantine.key")?;
        let quarantine = Quarantine::new(self.objects.clone(), &key);
        let pipeline =
            Pipeline::new(self.objects.clone(), index, queue, quarantine, self.clock.clone(), metrics)?;
        Ok(Arc::new(pipeline))
    }
}

/// Takes the data folder for this process alone, as long as the answer lives.
///
/// # Errors
/// [`HubError::Locked`] where another one has it.
pub fn lock(config: &Config) -> Result<std::fs::File, HubError> {
    let path = config.data_dir.join("lock");
    std::fs::create_dir_all(&config.data_dir)?;
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(HubError::Locked(config.data_dir.clone())),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// Runs the hub until `stop`.
///
/// # Errors
/// See [`HubError`].
pub async fn run(config: &Config, stop: CancellationToken) -> Result<(), HubError> {
    let _lock = lock(config)?;
    let parts = Parts::open(config)?;
    let metrics = Metrics::new();
    let pipeline = parts.pipeline(config, metrics.clone())?;
    let reset = authority::secret(&config.data_dir, "reset.key")?;
    let agents = quic::tls(&parts.authority, &config.names)?;
    let callers = api::serve::tls(&parts.authority, &config.names)?;
    let endpoint = quic::bind(config.listen_quic, agents.clone(), &reset)?;
    let listener = listen::bind(config.listen_tcp).await?;
    let plain = match config.listen_plain_api {
        Some(address) => Some(listen::bind(address).await?),
        None => None,
    };
    let listening = Listening::write(config, &endpoint, &listener, plain.as_ref())?;

    let receive = Receive {
        objects: parts.objects.clone(),
        queue: pipeline.queue.clone(),
        receipts: parts.receipts.clone(),
        clock: parts.clock.clone(),
        metrics: metrics.clone(),
    };
    let router = api::router(ApiState {
        objects: parts.objects.clone(),
        index: pipeline.index.clone(),
        quarantine: pipeline.quarantine.clone(),
        keys: parts.keys.clone(),
        pipeline: pipeline.clone(),
        metrics,
        cursor_key: Arc::new(authority::secret(&config.data_dir, "cursor.key")?),
    });

    // Agents and callers go first, then what was received is worked off as far as it is in hand.
    let working = CancellationToken::new();
    let mut stages = JoinSet::new();
    let http = Http::new(router);
    let door = Door::Tls(Arc::new(Tls {
        agents: Arc::new(agents),
        callers: Arc::new(callers),
        receive: receive.clone(),
        authority: parts.authority.clone(),
        http: http.clone(),
    }));
    let doors = std::iter::once((listener, door)).chain(plain.map(|plain| (plain, Door::Plain(http))));
    for (listener, door) in doors {
        let door_stop = stop.clone();
        stages.spawn(async move {
            listen::run(listener, door, door_stop).await;
            "listen"
        });
    }
    let (receive_stop, pipeline_stop, authority) = (stop.clone(), working.clone(), parts.authority.clone());
    stages.spawn(async move {
        quic::run(endpoint, receive, authority, receive_stop).await;
        "receive"
    });
    stages.spawn(async move {
        pipeline.run(pipeline_stop).await;
        "pipeline"
    });
    let outcome = drain(stages, &stop, &working).await;
    listening.remove();
    outcome
}

/// Waits until the stages end; the last of them goes on until the others have.
async fn drain(
    mut stages: JoinSet<&'static str>,
    stop: &CancellationToken,
    working: &CancellationToken,
) -> Result<(), HubError> {
    let mut outcome = Ok(());
    while let Some(ended) = stages.join_next().await {
        if !stop.is_cancelled() {
            outcome = Err(HubError::Stage(ended.unwrap_or("crashed")));
            stop.cancel();
        }
        if stages.len() <= 1 {
            working.cancel();
        }
    }
    outcome
}

/// The file that tells where the hub listens, for tools on the same machine.
struct Listening(std::path::PathBuf);

impl Listening {
    fn write(
        config: &Config,
        endpoint: &quinn::Endpoint,
        listener: &TcpListener,
        plain: Option<&TcpListener>,
    ) -> Result<Self, HubError> {
        let path = config.data_dir.join("listen.json");
        let (quic, tcp) = (endpoint.local_addr()?, listener.local_addr()?);
        let api = match plain {
            Some(plain) => format!("http://{}", plain.local_addr()?),
            None => format!("https://{tcp}"),
        };
        tracing::info!(%quic, %tcp, api, "the hub is up");
        let text = serde_json::json!({
            "quic": quic.to_string(),
            "tcp": tcp.to_string(),
            "api": api,
            "ca": authority::ca_path(&config.data_dir),
            "pid": std::process::id(),
        });
        authority::write_secret(&path, format!("{text:#}\n").as_bytes())?;
        Ok(Self(path))
    }

    fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "listen.json could not be removed");
        }
    }
}

/// Where agents reach this hub, for join tokens.
pub fn advertised(config: &Config) -> String {
    if let Some(advertise) = &config.advertise {
        return advertise.clone();
    }
    let port = listening_port(&config.data_dir).unwrap_or(config.listen_quic.port());
    let name = config.names.first().map_or("localhost", String::as_str);
    if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
}

fn listening_port(data_dir: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(data_dir.join("listen.json")).ok()?;
    let listening: serde_json::Value = serde_json::from_str(&text).ok()?;
    listening["quic"].as_str()?.parse::<std::net::SocketAddr>().ok().map(|address| address.port())
}
