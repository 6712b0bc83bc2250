//! The configuration file: read, checked, absolute. Nothing is started with a file that is wrong.

use std::path::{Path, PathBuf};

use certus_protocol::ids::{Lane, SourceName};
use certus_sanitizer::{Learn, Policy, Profile};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::agent::AgentError;
use crate::limits;
use crate::ship::quiet::QuietHours;
use crate::ship::route::{self, Proxy, Route, Transports};
use crate::spool::{SpoolConfig, Volatile};

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    state_dir: PathBuf,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    hub: RawHub,
    #[serde(default)]
    spool: RawSpool,
    #[serde(default)]
    sanitize: RawSanitize,
    #[serde(default)]
    source: Vec<RawSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: LogFormat,
    level: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawHub {
    address: Option<String>,
    tcp_port: Option<u16>,
    transport: Transports,
    proxy: Option<RawProxy>,
    proxy_password_file: Option<PathBuf>,
    max_bytes_per_second: Option<String>,
    quiet_hours: Vec<String>,
}

/// A proxy's address, which may hold a password; never shown.
#[derive(Deserialize)]
#[serde(from = "String")]
struct RawProxy(Zeroizing<String>);

impl From<String> for RawProxy {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for RawProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawProxy")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSpool {
    max_bytes: Option<String>,
    min_free_bytes: Option<String>,
    when_full: RawWhenFull,
    keep_acked_bytes: Option<String>,
    keep_acked_hours: Option<u32>,
    linger_ms: Option<u64>,
    volatile: RawVolatile,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawWhenFull {
    #[default]
    Block,
    #[serde(rename = "drop_oldest")]
    DropOldest(RawLane),
    Pause(String),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLane {
    Interactive,
    Bulk,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawVolatile {
    #[default]
    Refuse,
    Allow,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSanitize {
    policy: Option<PathBuf>,
    profile: Option<String>,
    learn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: String,
    kind: SourceKind,
    path: PathBuf,
    reconcile_seconds: Option<u64>,
    #[serde(default)]
    events: Events,
    #[serde(default)]
    exclude: Vec<String>,
    max_file_bytes: Option<String>,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What sort of source it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Files of a folder or share.
    Folder,
    /// A local git repository.
    Git,
    /// A folder into which scanners drop SARIF files.
    Sarif,
}

impl SourceKind {
    /// The lane that its frames take, for ever.
    pub fn lane(self) -> Lane {
        match self {
            Self::Folder | Self::Git => Lane::Bulk,
            Self::Sarif => Lane::Interactive,
        }
    }
}

/// Whether changes are looked for at once or only when the whole source is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// The system's hints are followed.
    #[default]
    On,
    /// They are not; for file systems that have none.
    Off,
}

/// Who loses what when the spool is full; see [`crate::spool::WhenFull`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhenFull {
    /// Nobody: sources wait.
    Block,
    /// The hub: the oldest unsent frames of this lane.
    DropOldest(Lane),
    /// Nobody: this source waits first.
    Pause(SourceName),
}

/// How the hub is reached, how fast and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkConfig {
    /// What is tried.
    pub transports: Transports,
    /// The hub's TCP port where it differs from that of its address.
    pub tcp_port: Option<u16>,
    /// What TCP goes through.
    pub proxy: ProxyChoice,
    /// All lanes together, in bytes a second.
    pub bytes_per_second_max: Option<u64>,
    /// When the bulk lane keeps silent.
    pub quiet_hours: QuietHours,
}

/// What TCP connections to the hub go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// What the environment says: HTTPS_PROXY, ALL_PROXY and NO_PROXY.
    #[default]
    Environment,
    /// Nothing, whatever the environment says.
    Direct,
    /// This proxy.
    Through(Proxy),
}

impl LinkConfig {
    /// The way to the hub at `hub`.
    ///
    /// # Errors
    /// The environment names a proxy that can't be used.
    pub fn route(&self, hub: &str) -> Result<Route, AgentError> {
        let proxy = match &self.proxy {
            ProxyChoice::Direct => None,
            ProxyChoice::Through(proxy) => Some(proxy.clone()),
            ProxyChoice::Environment => {
                Proxy::of_environment(route::host_of(hub), |name| std::env::var(name).ok())
                    .map_err(AgentError::Proxy)?
            }
        };
        Ok(Route { hub: hub.to_owned(), tcp_port: self.tcp_port, proxy, transports: self.transports })
    }
}

/// A source that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// Its name.
    pub name: SourceName,
    /// What it is.
    pub kind: SourceKind,
    /// Where it lies; absolute.
    pub path: PathBuf,
    /// How often all of it is read again, in milliseconds.
    pub reconcile_ms: u64,
    /// Whether hints are followed.
    pub events: Events,
    /// What is left out, as lines of a `.gitignore` file.
    pub exclude: Vec<String>,
    /// Larger files are left out and listed, in bytes.
    pub file_bytes_max: u64,
}

impl SourceConfig {
    /// A source with the defaults.
    pub fn new(name: SourceName, kind: SourceKind, path: PathBuf) -> Self {
        Self {
            name,
            kind,
            path,
            reconcile_ms: limits::RECONCILE_MS,
            events: Events::On,
            exclude: Vec::new(),
            file_bytes_max: limits::FILE_BYTES_MAX,
        }
    }
}

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where everything is kept; absolute.
    pub state_dir: PathBuf,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged, as tracing's filters say it.
    pub log_level: String,
    /// Host and port of the hub; `None`: the one that enrolled this agent.
    pub hub: Option<String>,
    /// Who loses what when the spool is full.
    pub when_full: WhenFull,
    /// How it is reached, how fast and when.
    pub link: LinkConfig,
    /// The spool.
    pub spool: SpoolConfig,
    /// What is taken out.
    pub policy: Policy,
    /// How far values that were found are remembered.
    pub learn: Learn,
    /// The sources.
    pub sources: Vec<SourceConfig>,
}

/// A configuration that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{place}: {what}")]
pub struct ConfigError {
    path: String,
    place: String,
    what: String,
}

type Wrong = (String, String);

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// Names file, line and key, and how to mend it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let error =
            |place: String, what: String| ConfigError { path: path.display().to_string(), place, what };
        let text = std::fs::read_to_string(path)
            .map_err(|cause| error(String::new(), format!("can't be read: {cause}")))?;
        Self::parse(&text).map_err(|(place, what)| error(place, what))
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| explained(text, &error))?;
        let at = |key: &str| place_of(text, key);
        let state_dir =
            std::path::absolute(&raw.state_dir).map_err(|error| (at("state_dir"), error.to_string()))?;
        let link = link(&raw.hub, &at)?;
        let hub = raw.hub.address;
        if hub.as_ref().is_some_and(|hub| !is_address(hub)) {
            let what = "address must be host:port, such as hub.example.com:4433";
            return Err((at("address"), what.to_owned()));
        }
        let policy = policy(&raw.sanitize, &at)?;
        let learn = match raw.sanitize.learn {
            None => Learn::default(),
            Some(name) => name.parse().map_err(|error| (at("learn"), format!("{error}")))?,
        };
        let sources = sources(raw.source, text)?;
        let when_full = match &raw.spool.when_full {
            RawWhenFull::Block => WhenFull::Block,
            RawWhenFull::DropOldest(RawLane::Interactive) => WhenFull::DropOldest(Lane::Interactive),
            RawWhenFull::DropOldest(RawLane::Bulk) => WhenFull::DropOldest(Lane::Bulk),
            RawWhenFull::Pause(name) => {
                match sources.iter().find(|source| source.name.as_str() == name.as_str()) {
                    Some(source) => WhenFull::Pause(source.name.clone()),
                    None => return Err((at("when_full"), format!("when_full: there is no source {name:?}"))),
                }
            }
        };
        Ok(Self {
            when_full,
            log_format: raw.log.format,
            log_level: raw.log.level.unwrap_or_else(|| "info".to_owned()),
            hub,
            link,
            spool: spool(&state_dir, &raw.spool, &at)?,
            policy,
            learn,
            sources,
            state_dir,
        })
    }
}

/// Reads and checks a policy file.
///
/// # Errors
/// Names file and line, and what is wrong there.
pub fn load_policy(path: &Path) -> Result<Policy, ConfigError> {
    let error = |place: String, what: String| ConfigError { path: path.display().to_string(), place, what };
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|cause| error(String::new(), format!("can't be read: {cause}")))?;
    Policy::parse(&text).map_err(|wrong| error(format!(", line {}", wrong.line), wrong.what))
}

fn policy(raw: &RawSanitize, at: &dyn Fn(&str) -> String) -> Result<Policy, Wrong> {
    match (&raw.policy, &raw.profile) {
        (Some(_), Some(_)) => {
            Err((at("profile"), "profile stands in the policy file, or here where there is none".to_owned()))
        }
        (Some(path), None) => load_policy(path).map_err(|error| (at("policy"), error.to_string())),
        (None, Some(name)) => {
            let profile: Profile = name.parse().map_err(|error| (at("profile"), format!("{error}")))?;
            Ok(profile.into())
        }
        (None, None) => Ok(Policy::default()),
    }
}

fn link(raw: &RawHub, at: &dyn Fn(&str) -> String) -> Result<LinkConfig, Wrong> {
    let wrong = |key: &str, what: String| (at(key), format!("{key}: {what}"));
    let proxy = match raw.proxy.as_ref().map(|text| text.0.as_str()) {
        None => ProxyChoice::Environment,
        Some("off") => ProxyChoice::Direct,
        Some(text) => ProxyChoice::Through(Proxy::parse(text).map_err(|what| wrong("proxy", what))?),
    };
    let proxy = match (proxy, &raw.proxy_password_file) {
        (proxy, None) => proxy,
        (ProxyChoice::Through(proxy), Some(path)) => {
            let whole = proxy.with_password_from(path);
            ProxyChoice::Through(whole.map_err(|what| wrong("proxy_password_file", what))?)
        }
        (_, Some(_)) => return Err(wrong("proxy_password_file", "needs a proxy to be set".to_owned())),
    };
    let bytes_per_second_max = match &raw.max_bytes_per_second {
        None => None,
        Some(text) => Some(bytes(text).map_err(|what| wrong("max_bytes_per_second", what))?),
    };
    if bytes_per_second_max.is_some_and(|rate| rate < limits::BYTES_PER_SECOND_MIN) {
        let least = limits::BYTES_PER_SECOND_MIN >> 10;
        return Err(wrong("max_bytes_per_second", format!("must be at least {least} KiB")));
    }
    let quiet_hours = QuietHours::parse(&raw.quiet_hours).map_err(|what| wrong("quiet_hours", what))?;
    Ok(LinkConfig {
        transports: raw.transport,
        tcp_port: raw.tcp_port,
        proxy,
        bytes_per_second_max,
        quiet_hours,
    })
}

fn spool(state_dir: &Path, raw: &RawSpool, at: &dyn Fn(&str) -> String) -> Result<SpoolConfig, Wrong> {
    let mut config = SpoolConfig::new(state_dir.join("spool"));
    let sized = |key: &str, text: &Option<String>, default: u64| match text {
        None => Ok(default),
        Some(text) => bytes(text).map_err(|what| (at(key), format!("{key}: {what}"))),
    };
    config.bytes_max = sized("max_bytes", &raw.max_bytes, config.bytes_max)?;
    config.free_bytes_min = sized("min_free_bytes", &raw.min_free_bytes, config.free_bytes_min)?;
    config.keep_acked_bytes = sized("keep_acked_bytes", &raw.keep_acked_bytes, config.keep_acked_bytes)?;
    config.keep_acked_ms =
        raw.keep_acked_hours.map_or(config.keep_acked_ms, |h| i64::from(h) as u64 * 3_600_000);
    config.linger_ms = raw.linger_ms.unwrap_or(config.linger_ms);
    config.volatile = match raw.volatile {
        RawVolatile::Refuse => Volatile::Refuse,
        RawVolatile::Allow => Volatile::Allow,
    };
    if config.bytes_max < 4 * config.segment_bytes {
        let least = (4 * config.segment_bytes) >> 20;
        return Err((at("max_bytes"), format!("max_bytes must be at least {least} MiB")));
    }
    if config.linger_ms > limits::LINGER_MS_MAX {
        return Err((at("linger_ms"), format!("linger_ms must be at most {}", limits::LINGER_MS_MAX)));
    }
    Ok(config)
}

fn sources(raw: Vec<RawSource>, text: &str) -> Result<Vec<SourceConfig>, Wrong> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for source in raw {
        let at = place_of_value(text, "name", &source.name);
        let wrong = |what: String| (at.clone(), format!("source {:?}: {what}", source.name));
        let name: SourceName = source.name.parse().map_err(|error| wrong(format!("{error}")))?;
        if sources.iter().any(|other| other.name == name) {
            return Err(wrong("its name is taken by another source; every source needs its own".to_owned()));
        }
        let path = std::path::absolute(&source.path).map_err(|error| wrong(error.to_string()))?;
        let mut config = SourceConfig::new(name, source.kind, path);
        if let Some(seconds) = source.reconcile_seconds {
            if !(1..=7 * 86_400).contains(&seconds) {
                return Err(wrong("reconcile_seconds must be 1 to 604800".to_owned()));
            }
            config.reconcile_ms = seconds * 1_000;
        }
        config.events = source.events;
        if let Some(size) = &source.max_file_bytes {
            config.file_bytes_max = bytes(size).map_err(|what| wrong(format!("max_file_bytes: {what}")))?;
            if config.file_bytes_max > limits::FILE_BYTES_CEILING {
                let most = limits::FILE_BYTES_CEILING >> 20;
                return Err(wrong(format!("max_file_bytes must be at most {most} MiB")));
            }
        }
        for pattern in &source.exclude {
            let mut builder = ignore::gitignore::GitignoreBuilder::new("/");
            builder
                .add_line(None, pattern)
                .map_err(|error| wrong(format!("exclude {pattern:?}: {error}")))?;
        }
        config.exclude = source.exclude;
        sources.push(config);
    }
    Ok(sources)
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && (!host.contains(':') || host.starts_with('[')) && port.parse::<u16>().is_ok()
    })
}

/// `"16 MiB"`, `"10GiB"`, `"4096"`: a number with an optional binary unit.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        other => return Err(format!("the unit {other:?} is none of B, KiB, MiB, GiB, TiB")),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no size such as \"16 MiB\""))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text:?} is too large"))
}

/// Line of a parse error, and what is wrong, with the nearest right key where a key is unknown.
fn explained(text: &str, error: &toml::de::Error) -> Wrong {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message();
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let what = match unknown {
        None => message.to_owned(),
        Some((key, rest)) => {
            let known = rest.split('`').skip(1).step_by(2);
            match known.max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b))) {
                Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
                None => format!("unknown key `{key}`"),
            }
        }
    };
    (format!(", line {line}"), what)
}

fn place_of(text: &str, key: &str) -> String {
    let line = text.lines().position(|line| line.trim_start().starts_with(key));
    line.map_or(String::new(), |line| format!(", line {}", line + 1))
}

fn place_of_value(text: &str, key: &str, value: &str) -> String {
    let line = text.lines().position(|line| line.trim_start().starts_with(key) && line.contains(value));
    line.map_or(String::new(), |line| format!(", line {}", line + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (String, String) {
        Config::parse(text).unwrap_err()
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_the_nearest_right_one() {
        let (place, what) = wrong("state_dir = \"/x\"\n[spool]\nmax_byte = \"1 GiB\"\n");
        assert_eq!(
            (place.as_str(), what.as_str()),
            (", line 3", "unknown key `max_byte`; did you mean `max_bytes`?")
        );
    }

    #[test]
    fn sizes_names_patterns_and_addresses_are_checked_with_their_place() {
        let head = "state_dir = \"/x\"\n";
        let (place, what) = wrong(&format!("{head}[spool]\nmax_bytes = \"10 GB\"\n"));
        assert_eq!(place, ", line 3");
        assert!(what.contains("GiB"), "{what}");
        let twice = "[[source]]\nname = \"a\"\nkind = \"folder\"\npath = \"/y\"\n".repeat(2);
        assert!(wrong(&format!("{head}{twice}")).1.contains("taken"));
        assert!(wrong(&format!("{head}[hub]\naddress = \"hub\"\n")).1.contains("host:port"));
        assert!(wrong(&format!("{head}[sanitize]\nprofile = \"lax\"\n")).1.contains("high-recall"));
    }

    #[test]
    fn the_link_is_read_and_what_is_wrong_is_named() {
        let head = "state_dir = \"/x\"\n[hub]\n";
        let good = "transport = \"tcp\"\nmax_bytes_per_second = \"10 MiB\"\nquiet_hours = [\"08:00-18:00\"]\nproxy = \"off\"\n";
        let link = Config::parse(&format!("{head}{good}")).unwrap().link;
        assert_eq!((link.transports, link.bytes_per_second_max), (Transports::Tcp, Some(10 << 20)));
        assert_eq!(link.proxy, ProxyChoice::Direct);
        for (line, told) in [
            ("max_bytes_per_second = \"1 KiB\"", "at least"),
            ("quiet_hours = [\"8-18\"]", "08:00-18:00"),
            ("proxy = \"socks5://p:1\"", "http://"),
            ("proxy_password_file = \"/x\"", "proxy"),
        ] {
            let (place, what) = wrong(&format!("{head}{line}\n"));
            assert!(place == ", line 3" && what.contains(told), "{place}: {what}");
        }
    }

    #[test]
    fn the_defaults_hold_where_the_file_is_silent() {
        let config = Config::parse(
            "state_dir = \"/x\"\n[[source]]\nname = \"a\"\nkind = \"sarif\"\npath = \"/y\"\nmax_file_bytes = \"64 MiB\"\n",
        )
        .unwrap();
        assert_eq!(config.sources[0].file_bytes_max, 64 << 20);
        assert_eq!(config.sources[0].kind.lane(), Lane::Interactive);
        assert_eq!(config.spool.dir, PathBuf::from("/x/spool"));
    }
}
