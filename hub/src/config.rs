//! The configuration file: read, checked, absolute. Nothing is started with a file that is wrong.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    data_dir: PathBuf,
    #[serde(default = "default_names")]
    names: Vec<String>,
    advertise: Option<String>,
    #[serde(default = "default_trust_domain")]
    trust_domain: String,
    #[serde(default = "default_agent_certificate_days")]
    agent_certificate_days: i64,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    listen: RawListen,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: LogFormat,
    level: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawListen {
    quic: SocketAddr,
    tcp: Option<SocketAddr>,
    plain_api: Option<SocketAddr>,
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

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where everything is kept; absolute.
    pub data_dir: PathBuf,
    /// What the hub's certificate is made out to.
    pub names: Vec<String>,
    /// What join tokens name; `None`: the first name and the bound port.
    pub advertise: Option<String>,
    /// The trust domain in agents' certificates.
    pub trust_domain: String,
    /// How long an agent's certificate is good, in days.
    pub agent_certificate_days: i64,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged, as tracing's filters say it.
    pub log_level: String,
    /// Where agents connect by QUIC (UDP).
    pub listen_quic: SocketAddr,
    /// Where agents connect by TLS, and callers of the API (TCP).
    pub listen_tcp: SocketAddr,
    /// Where the API is to be had as plain HTTP, too; on loopback.
    pub listen_plain_api: Option<SocketAddr>,
}

/// A configuration that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{place}: {what}")]
pub struct ConfigError {
    path: String,
    place: String,
    what: String,
}

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

    fn parse(text: &str) -> Result<Self, (String, String)> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| explained(text, &error))?;
        let at = |key: &str| place_of(text, key);
        let data_dir =
            std::path::absolute(&raw.data_dir).map_err(|error| (at("data_dir"), error.to_string()))?;
        if raw.names.is_empty() {
            return Err((at("names"), "names must hold at least one name or address of this hub".to_owned()));
        }
        if !(1..=365).contains(&raw.agent_certificate_days) {
            return Err((at("agent_certificate_days"), "agent_certificate_days must be 1 to 365".to_owned()));
        }
        let domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        if raw.trust_domain.is_empty() || !raw.trust_domain.bytes().all(domain) {
            return Err((at("trust_domain"), "trust_domain must be of a-z, 0-9, '.' and '-'".to_owned()));
        }
        if raw.listen.plain_api.is_some_and(|address| !address.ip().is_loopback()) {
            let what =
                "plain_api is for loopback only, such as 127.0.0.1:8080; with TLS the API is on [listen] tcp";
            return Err((at("plain_api"), what.to_owned()));
        }
        Ok(Self {
            data_dir,
            names: raw.names,
            advertise: raw.advertise,
            trust_domain: raw.trust_domain,
            agent_certificate_days: raw.agent_certificate_days,
            log_format: raw.log.format,
            log_level: raw.log.level,
            listen_quic: raw.listen.quic,
            listen_tcp: raw.listen.tcp.unwrap_or(raw.listen.quic),
            listen_plain_api: raw.listen.plain_api,
        })
    }
}

/// Line of a parse error, and what is wrong, with the nearest right key where a key is unknown.
fn explained(text: &str, error: &toml::de::Error) -> (String, String) {
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

fn default_names() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]
}

fn default_trust_domain() -> String {
    "certus.local".to_owned()
}

fn default_agent_certificate_days() -> i64 {
    30
}

impl Default for RawLog {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

impl Default for RawListen {
    fn default() -> Self {
        Self { quic: ([0, 0, 0, 0], 4433).into(), tcp: None, plain_api: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_the_nearest_right_one() {
        let (place, what) = Config::parse("data_dir = \"/x\"\n[listen]\nqiuc = \"1.2.3.4:5\"\n").unwrap_err();
        assert_eq!((place.as_str(), what.as_str()), (", line 3", "unknown key `qiuc`; did you mean `quic`?"));
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        let text = "data_dir = \"/x\"\n[listen]\nplain_api = \"0.0.0.0:1\"\n";
        let (place, what) = Config::parse(text).unwrap_err();
        assert_eq!(place, ", line 3");
        assert!(what.contains("loopback"));
        assert!(Config::parse(&text.replace("0.0.0.0", "127.0.0.1")).is_ok());
    }

    #[test]
    fn one_address_serves_both_ways_unless_two_are_said() {
        let config = Config::parse("data_dir = \"/x\"\n[listen]\nquic = \"0.0.0.0:443\"\n").unwrap();
        assert_eq!(config.listen_tcp, config.listen_quic);
    }
}
