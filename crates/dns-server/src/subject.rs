//! What a name asks for.

use std::net::IpAddr;

/// What a name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The instances of a service.
    Service {
        name: String,
        tag: Option<String>,
    },
    Node(String),
    /// An address spelled in hexadecimal.
    Address(IpAddr),
    /// The place of an address, and no address in it.
    NoAddress,
    /// Nothing that can exist.
    Nothing,
}

/// Reads a name: its labels below the zone, in lower case, in the order in which they are written.
pub(crate) fn subject(labels: &[String], datacenter: &str) -> Subject {
    let kinds = ["service", "node", "addr"];
    let Some(at) = labels.iter().rposition(|label| kinds.contains(&label.as_str())) else {
        return Subject::Nothing;
    };
    let (before, after) = labels.split_at(at);
    let Some((kind, place)) = after.split_first() else { return Subject::Nothing };
    match place {
        [] => {}
        [place] if place.eq_ignore_ascii_case(datacenter) => {}
        _ => return Subject::Nothing,
    }
    match (kind.as_str(), before) {
        (_, []) => Subject::Nothing,
        ("service", before) => service(before),
        ("node", before) => Subject::Node(before.join(".")),
        (_, [address]) => ip(address).map_or(Subject::NoAddress, Subject::Address),
        _ => Subject::Nothing,
    }
}

fn service(labels: &[String]) -> Subject {
    let bare = |label: &String| label.strip_prefix('_').map(str::to_owned);
    let Some((name, tags)) = labels.split_last() else { return Subject::Nothing };
    if let ([first], Some(protocol)) = (tags, bare(name))
        && let Some(name) = bare(first)
    {
        // RFC 2782; Consul gives no meaning to any other protocol.
        let tag = Some(protocol).filter(|protocol| protocol != "tcp");
        return Subject::Service { name, tag };
    }
    let tag = Some(tags.join(".")).filter(|tag| !tag.is_empty());
    Subject::Service { name: name.clone(), tag }
}

fn ip(hex: &str) -> Option<IpAddr> {
    let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    match hex.len() {
        8 if digits => u32::from_str_radix(hex, 16).ok().map(|bits| IpAddr::V4(bits.into())),
        32 if digits => u128::from_str_radix(hex, 16).ok().map(|bits| IpAddr::V6(bits.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Subject {
        let labels: Vec<String> =
            name.split('.').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        subject(&labels, "DC1")
    }

    fn of(name: &str, tag: &str) -> Subject {
        let tag = Some(tag.to_owned()).filter(|tag| !tag.is_empty());
        Subject::Service { name: name.into(), tag }
    }

    #[test]
    fn services() {
        assert_eq!(read("web.service"), of("web", ""));
        assert_eq!(read("web.service.dc1"), of("web", ""));
        assert_eq!(read("v1.web.service"), of("web", "v1"));
        assert_eq!(read("v1.2.web.service.dc1"), of("web", "v1.2"));
        assert_eq!(read("_web._tcp.service"), of("web", ""));
        assert_eq!(read("_web._udp.service"), of("web", "udp"));
        assert_eq!(read("_web._v1.service.dc1"), of("web", "v1"));
        assert_eq!(read("_web.service"), of("_web", ""));
        assert_eq!(read("service.service"), of("service", ""));
        assert_eq!(read("node.service"), of("node", ""));
    }

    #[test]
    fn nodes_and_addresses() {
        assert_eq!(read("laptop.node"), Subject::Node("laptop".into()));
        assert_eq!(read("a.b.node.dc1"), Subject::Node("a.b".into()));
        assert_eq!(read("0a010001.addr.dc1"), Subject::Address([10, 1, 0, 1].into()));
        let six = read("20010db8000000000000000000000006.addr");
        assert_eq!(six, Subject::Address("2001:db8::6".parse().unwrap()));
        for none in ["0a0100.addr", "zzzzzzzz.addr", "+a010001.addr"] {
            assert_eq!(read(none), Subject::NoAddress, "{none}");
        }
    }

    #[test]
    fn nothing() {
        for name in [
            "",
            "service",
            "node",
            "addr",
            "web",
            "web.service.dc2",
            "x.y",
            "a.b.addr",
            "laptop.node.dc2",
            "web.service.dc1.dc1",
            "web.query",
        ] {
            assert_eq!(read(name), Subject::Nothing, "{name}");
        }
    }
}
