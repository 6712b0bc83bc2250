//! The ways to the hub: its address, which transports may be tried, and the proxy that leads out of this network.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::quic::ConnectError;

/// A proxy's answer at the most, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Which transports are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transports {
    /// QUIC first, TLS over TCP where it does not work.
    #[default]
    Auto,
    /// QUIC only: where UDP is closed, nothing is sent.
    Quic,
    /// TLS over TCP only.
    Tcp,
}

/// How the hub is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Host and port of the hub.
    pub hub: String,
    /// Its TCP port where it differs.
    pub tcp_port: Option<u16>,
    /// What TCP connections go through.
    pub proxy: Option<Proxy>,
    /// What is tried.
    pub transports: Transports,
}

/// An HTTP proxy that opens ways by CONNECT (RFC 9110, section 9.3.6).
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host and port.
    address: String,
    /// `user:password`; never shown.
    credentials: Option<Zeroizing<String>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Reads `http://user:password@host:port`, as it stands in configurations and environment variables; user and password
    /// may be percent-encoded.
    ///
    /// # Errors
    /// What is wrong with it; never holds the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(
                "only proxies that are spoken to by http:// are known; TLS goes through them".to_owned()
            );
        }
        let rest = rest.trim_end_matches('/');
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(percent_decoded(credentials)?), address),
            None => (None, rest),
        };
        let named = address.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok()
        });
        let address = if named { address.to_owned() } else { format!("{address}:80") };
        if address.starts_with(':') || address.contains(['/', ' ']) {
            return Err("a proxy is written http://host:port or http://user:password@host:port".to_owned());
        }
        Ok(Self { address, credentials })
    }

    /// The same with a password from a file, one line.
    ///
    /// # Errors
    /// The file can't be read, or no user was named.
    pub fn with_password_from(mut self, path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = Zeroizing::new(text);
        let user = self.credentials.take().map(|known| known.split(':').next().unwrap_or("").to_owned());
        let user = user.filter(|user| !user.is_empty()).ok_or("the proxy's address names no user")?;
        self.credentials = Some(Zeroizing::new(format!("{user}:{}", text.trim_end_matches(['\r', '\n']))));
        Ok(self)
    }

    /// The proxy that the environment names for `host`: HTTPS_PROXY, else ALL_PROXY, unless NO_PROXY lists the host; the
    /// names in small letters as well.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_environment(
        host: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let any = |name: &str| {
            let found = variable(&name.to_lowercase()).or_else(|| variable(name));
            found.filter(|value| !value.trim().is_empty()).map(Zeroizing::new)
        };
        if any("NO_PROXY").is_some_and(|list| is_listed(host, &list)) {
            return Ok(None);
        }
        let found =
            ["HTTPS_PROXY", "ALL_PROXY"].into_iter().find_map(|name| any(name).map(|value| (name, value)));
        let Some((name, value)) = found else { return Ok(None) };
        Self::parse(value.trim()).map(Some).map_err(|what| format!("environment variable {name}: {what}"))
    }

    async fn dial(&self, hub: &str) -> Result<TcpStream, ConnectError> {
        let at = |cause: &dyn fmt::Display| {
            ConnectError::Proxy(format!("the proxy at {} gives no way to {hub}: {cause}", self.address))
        };
        let mut stream = TcpStream::connect(&self.address).await.map_err(|error| at(&error))?;
        let mut request = Zeroizing::new(format!("CONNECT {hub} HTTP/1.1\r\nHost: {hub}\r\n"));
        if let Some(credentials) = &self.credentials {
            let encoded = Zeroizing::new(data_encoding::BASE64.encode(credentials.as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&encoded);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| at(&error))?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            // Byte by byte: what follows the answer belongs to TLS.
            let byte = stream.read_u8().await.map_err(|error| at(&error))?;
            answer.push(byte);
            if answer.len() > ANSWER_BYTES_MAX {
                return Err(at(&"its answer has no end"));
            }
        }
        let first = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        match status.and_then(|status| status.parse::<u16>().ok()) {
            Some(200..=299) => Ok(stream),
            Some(407) => Err(at(&"it asks for a user and password (407): set [hub] proxy or HTTPS_PROXY")),
            Some(status) => Err(at(&format!("it answered {status}"))),
            None => Err(at(&"it does not speak HTTP")),
        }
    }
}

impl Route {
    /// The hub, by whatever way works.
    pub fn to(hub: &str) -> Self {
        Self { hub: hub.to_owned(), tcp_port: None, proxy: None, transports: Transports::Auto }
    }

    /// The hub's name or address.
    pub fn host(&self) -> &str {
        host_of(&self.hub)
    }

    /// Host and port for TCP.
    pub fn tcp_address(&self) -> String {
        match (self.tcp_port, self.hub.rsplit_once(':')) {
            (Some(port), Some((host, _))) => format!("{host}:{port}"),
            _ => self.hub.clone(),
        }
    }

    /// Opens a TCP connection to `address`, by the proxy where there is one.
    pub(super) async fn dial(&self, address: &str) -> Result<TcpStream, ConnectError> {
        if let Some(proxy) = &self.proxy {
            return proxy.dial(address).await;
        }
        let failed = |error: &dyn fmt::Display| ConnectError::unreachable(&self.hub, &error.to_string());
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host(address).await.map_err(|error| failed(&error))?.collect();
        TcpStream::connect(&addresses[..]).await.map_err(|error| failed(&error))
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']'])
}

fn is_listed(host: &str, list: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split([',', ' '])
        .map(|entry| entry.trim().to_ascii_lowercase())
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let name = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*" || host == name || (!name.is_empty() && host.ends_with(&format!(".{name}")))
        })
}

fn percent_decoded(text: &str) -> Result<Zeroizing<String>, String> {
    let wrong = || "user or password of the proxy are not percent-encoded as they should be".to_owned();
    let mut bytes = Zeroizing::new(Vec::new());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok()).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    if text.contains(['\r', '\n']) { Err(wrong()) } else { Ok(Zeroizing::new(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn proxies_are_read_and_never_show_their_password() {
        let word: String = (0..12).map(|_| fastrand::lowercase()).collect();
        let proxy = Proxy::parse(&format!("http://u%40x:{word}@proxy.example.com:3128/")).unwrap();
        assert_eq!(proxy.address, "proxy.example.com:3128");
        assert_eq!(proxy.credentials.as_ref().unwrap().as_str(), format!("u@x:{word}"));
        assert!(!format!("{proxy:?}").contains(&word));
        assert_eq!(Proxy::parse("proxy").unwrap().address, "proxy:80");
        assert_eq!(Proxy::parse("http://[::1]:3128").unwrap().address, "[::1]:3128");
        for bad in ["https://proxy:1", "socks5://proxy:1", "http://a b", "http://%zz@proxy:1", "http://"] {
            assert!(Proxy::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_and_whom_it_is_not_for() {
        let set = environment(&[
            ("HTTPS_PROXY", "http://one:1"),
            ("all_proxy", "http://two:2"),
            ("NO_PROXY", "localhost, .corp.example,10.0.0.1"),
        ]);
        let of = |host: &str| Proxy::of_environment(host, &set).unwrap().map(|proxy| proxy.address);
        assert_eq!(of("hub.example.com").as_deref(), Some("one:1"));
        for direct in ["localhost", "hub.corp.example", "corp.example", "10.0.0.1"] {
            assert_eq!(of(direct), None, "{direct}");
        }
        assert_eq!(of("notcorp.example").as_deref(), Some("one:1"));
        assert_eq!(Proxy::of_environment("a", environment(&[])), Ok(None));
        let wrong = Proxy::of_environment("a", environment(&[("https_proxy", "ftp://x:1")])).unwrap_err();
        assert!(wrong.contains("HTTPS_PROXY"), "{wrong}");
    }

    #[test]
    fn tcp_has_the_hubs_port_unless_another_is_said() {
        let mut route = Route::to("[::1]:4433");
        assert_eq!((route.host(), route.tcp_address().as_str()), ("::1", "[::1]:4433"));
        route.tcp_port = Some(443);
        assert_eq!(route.tcp_address(), "[::1]:443");
    }
}
