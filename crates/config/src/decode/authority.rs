//! A host and a port, as they stand in URLs.

use std::net::Ipv6Addr;

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`. The host is a name or an address, IPv6 without
/// brackets; the error says what is wrong with the text.
pub(crate) fn parse(text: &str) -> Result<(String, Option<u16>), &'static str> {
    if text.contains('@') {
        return Err("has a user in it");
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']').ok_or("has no ] after its address")?;
            if !is_ipv6(host) {
                return Err("has no IPv6 address between its brackets");
            }
            (host, port)
        }
        None if is_ipv6(text) || text.rsplit_once(':').is_some_and(|(host, _)| is_ipv6(host)) => {
            return Err("has an IPv6 address without brackets");
        }
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or((text, "")),
    };
    let bad = |char: char| char.is_whitespace() || char.is_control() || "/?#\\\"'".contains(char);
    if host.is_empty() || host.contains(bad) {
        return Err("has no host");
    }
    let port = match port.strip_prefix(':') {
        // A sign would be a number too.
        Some(port) => match port.parse() {
            Ok(number @ 1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(number),
            _ => return Err("has no port from 1 to 65535"),
        },
        None if port.is_empty() => None,
        None => return Err("has no : before its port"),
    };
    Ok((host.into(), port))
}

/// Whether it is an IPv6 address, perhaps with a zone.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let good = |host: &str, port: Option<u16>| Ok((host.to_owned(), port));
        assert_eq!(parse("db"), good("db", None));
        assert_eq!(parse("db:5432"), good("db", Some(5432)));
        assert_eq!(parse("10.0.0.1:1"), good("10.0.0.1", Some(1)));
        assert_eq!(parse("[::1]"), good("::1", None));
        assert_eq!(parse("[fe80::1%eth0]:65535"), good("fe80::1%eth0", Some(65535)));
    }

    #[test]
    fn what_is_neither() {
        for (text, fault) in [
            ("", "has no host"),
            (":80", "has no host"),
            ("a b:80", "has no host"),
            ("a/b:80", "has no host"),
            ("db:", "has no port from 1 to 65535"),
            ("db:0", "has no port from 1 to 65535"),
            ("db:+80", "has no port from 1 to 65535"),
            ("db:65536", "has no port from 1 to 65535"),
            ("db:http", "has no port from 1 to 65535"),
            ("a:1:2", "has no port from 1 to 65535"),
            ("me@db:80", "has a user in it"),
            ("::1", "has an IPv6 address without brackets"),
            ("::1:80", "has an IPv6 address without brackets"),
            ("fd00::5:x", "has an IPv6 address without brackets"),
            ("[::1:80", "has no ] after its address"),
            ("[::1]80", "has no : before its port"),
            ("[db]:80", "has no IPv6 address between its brackets"),
        ] {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }
}
