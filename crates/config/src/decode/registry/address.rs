//! Addresses of catalogs.

use std::path::PathBuf;

use crate::decode::authority;

/// What an address may be.
pub(super) const RULE: &str = "want host:port, http://host:port, https://host:port or unix:///path";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp {
        /// As far as the address itself says it.
        scheme: Option<Scheme>,
        /// A name or an address, IPv6 without brackets.
        host: String,
        /// Only a URL may go without.
        port: Option<u16>,
    },
    Unix(PathBuf),
}

impl Address {
    /// What goes on in place of a wrong one.
    pub(super) fn stand_in() -> Self {
        Self::Tcp { scheme: None, host: String::new(), port: None }
    }

    /// Whether TLS is spoken there; `fallback` is for an address without a scheme of its own.
    pub(super) fn is_https(&self, fallback: Scheme) -> bool {
        match self {
            Self::Tcp { scheme, .. } => scheme.unwrap_or(fallback) == Scheme::Https,
            Self::Unix(_) => false,
        }
    }

    /// As a URL.
    pub(super) fn url(&self, fallback: Scheme) -> String {
        match self {
            Self::Tcp { host, port, .. } => {
                let scheme = if self.is_https(fallback) { "https" } else { "http" };
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                match host.contains(':') {
                    true => format!("{scheme}://[{host}]{port}"),
                    false => format!("{scheme}://{host}{port}"),
                }
            }
            Self::Unix(path) => format!("unix://{}", path.display()),
        }
    }
}

/// Parses an address; the error says what is wrong with the value.
pub(super) fn parse(text: &str) -> Result<Address, &'static str> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        None => (None, text),
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(("unix", path)) if path.starts_with('/') => return Ok(Address::Unix(path.into())),
        Some(("unix", _)) => return Err("has no absolute path"),
        Some(_) => return Err("has an unknown scheme"),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) && !authority.contains('@') {
        return Err("has more than a host and a port");
    }
    match authority::parse(authority)? {
        (_, None) if scheme.is_none() => Err("has no port"),
        (host, port) => Ok(Address::Tcp { scheme, host, port }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(
        scheme: Option<Scheme>,
        host: &str,
        port: impl Into<Option<u16>>,
    ) -> Result<Address, &'static str> {
        Ok(Address::Tcp { scheme, host: host.into(), port: port.into() })
    }

    #[test]
    fn forms_of_addresses() {
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        assert_eq!(parse("consul:8500"), tcp(None, "consul", 8500));
        assert_eq!(parse("http://10.0.0.1:8500/"), tcp(http, "10.0.0.1", 8500));
        assert_eq!(parse("https://consul.example"), tcp(https, "consul.example", None));
        assert_eq!(parse("[::1]:8500"), tcp(None, "::1", 8500));
        assert_eq!(parse("https://[2001:db8::1]:8501"), tcp(https, "2001:db8::1", 8501));
        assert_eq!(parse("unix:///run/consul.sock"), Ok(Address::Unix("/run/consul.sock".into())));
    }

    #[test]
    fn what_is_not_an_address() {
        for text in [
            "",
            "consul",
            ":8500",
            "consul:",
            "consul:0",
            "consul:http",
            "consul:65536",
            "http://",
            "ftp://consul:21",
            "unix://run/x",
            "consul:8500/v1",
            "http://consul:8500/v1",
            "http://me:secret@consul:8500",
            "::1:8500",
            "[consul]:8500",
            "con sul:8500",
            "[::1:8500",
            "[::1]8500",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
    }
}
