//! `sockaddr`: the machine's addresses, by small templates such as `GetPrivateIP` or
//! `GetAllInterfaces | include "name" "eth" | attr "address"`.
//!
//! Such a template is executed by the same engine. Its lists of interfaces are lists of indexes.

use std::{cmp::Ordering, net::IpAddr, rc::Rc};

use gotemplate::{Functions, List, Signature, Type, Value};
use regex_lite::Regex;

use super::{Entry, Returned, TEXT, strings};
use crate::{host::Interface, session::Session};

pub(super) const TABLE: &[Entry] = &[("sockaddr", Signature::fixed(&[TEXT]), sockaddr)];

const LIST: Type = Type::List(&Type::Int);

fn sockaddr(session: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    let interfaces = Rc::new((session.host.interfaces)());
    let template = gotemplate::Template::parse(
        "sockaddr",
        &format!("{{{{{text}}}}}"),
        &functions(&interfaces),
    );
    let template = template.map_err(|error| error.to_string())?;
    template.execute(&Value::Nil).map(Value::from).map_err(|error| error.to_string())
}

/// Indexes of interfaces.
type Chosen = Vec<usize>;

fn functions(interfaces: &Rc<Vec<Interface>>) -> Functions {
    type Source = fn(&[Interface]) -> Chosen;
    type Named = fn(&[Interface], &str) -> Result<Chosen, String>;
    type Change = fn(&[Interface], Chosen, &[&str]) -> Result<Chosen, String>;
    const SOURCES: [(&str, Source); 4] = [
        ("GetAllInterfaces", all),
        ("GetDefaultInterfaces", |of| filtered(of, all(of), |one| one.default)),
        ("GetPrivateInterfaces", |of| routed(of, true)),
        ("GetPublicInterfaces", |of| routed(of, false)),
    ];
    const FIRST: [(&str, Source); 2] =
        [("GetPrivateIP", |of| routed(of, true)), ("GetPublicIP", |of| routed(of, false))];
    const EACH: [(&str, Source); 2] =
        [("GetPrivateIPs", |of| reachable(of, true)), ("GetPublicIPs", |of| reachable(of, false))];
    const CHANGES: [(&str, usize, Change); 5] = [
        ("include", 2, |of, chosen, words| filter(of, chosen, words, true)),
        ("exclude", 2, |of, chosen, words| filter(of, chosen, words, false)),
        ("sort", 1, |of, chosen, words| sorted(of, chosen, words.first().copied().unwrap_or(""))),
        ("limit", 1, |_, chosen, words| Ok(chosen.into_iter().take(number(words)?).collect())),
        ("offset", 1, |_, chosen, words| Ok(chosen.into_iter().skip(number(words)?).collect())),
    ];
    let named: Named = |of, pattern| {
        let named = filter(of, all(of), &["name", pattern], true)?;
        sorted(of, named, "type,size")
    };

    let mut functions = Functions::new();
    for (name, source) in SOURCES {
        let of = Rc::clone(interfaces);
        functions.add_typed(name, Signature::fixed(&[]), move |_| Ok(list(source(&of))));
    }
    for (name, source) in FIRST {
        let of = Rc::clone(interfaces);
        functions.add_typed(name, Signature::fixed(&[]), move |_| {
            Ok(joined(&of, source(&of).into_iter().take(1), "address", " ")?.into())
        });
    }
    for (name, source) in EACH {
        let of = Rc::clone(interfaces);
        functions.add_typed(name, Signature::fixed(&[]), move |_| {
            Ok(joined(&of, source(&of).into_iter(), "address", " ")?.into())
        });
    }
    let of = Rc::clone(interfaces);
    functions.add_typed("GetInterfaceIP", Signature::fixed(&[TEXT]), move |arguments| {
        let [pattern] = strings(arguments)?;
        let first = filtered(&of, named(&of, pattern)?, forwardable).into_iter().take(1);
        Ok(joined(&of, first, "address", " ")?.into())
    });
    let of = Rc::clone(interfaces);
    functions.add_typed("GetInterfaceIPs", Signature::fixed(&[TEXT]), move |arguments| {
        let [pattern] = strings(arguments)?;
        Ok(joined(&of, named(&of, pattern)?.into_iter(), "address", " ")?.into())
    });
    for (name, count, change) in CHANGES {
        let of = Rc::clone(interfaces);
        let params: &'static [Type] = match (name, count) {
            ("limit" | "offset", _) => &[Type::Int, LIST],
            (_, 1) => &[TEXT, LIST],
            _ => &[TEXT, TEXT, LIST],
        };
        functions.add_typed(name, Signature::fixed(params), move |arguments| {
            let Some((chosen, words)) = arguments.split_last() else { return Ok(Value::Nil) };
            let words: Vec<String> = words.iter().map(word).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Ok(list(change(&of, indexes(chosen), &words)?))
        });
    }
    let of = Rc::clone(interfaces);
    functions.add_typed("attr", Signature::fixed(&[TEXT, LIST]), move |arguments| {
        let [Value::String(name), chosen] = arguments else { return Ok(Value::Nil) };
        Ok(joined(&of, indexes(chosen).into_iter().take(1), name, " ")?.into())
    });
    let of = Rc::clone(interfaces);
    functions.add_typed("join", Signature::fixed(&[TEXT, TEXT, LIST]), move |arguments| {
        let [Value::String(name), Value::String(separator), chosen] = arguments else {
            return Ok(Value::Nil);
        };
        Ok(joined(&of, indexes(chosen).into_iter(), name, separator)?.into())
    });
    functions
}

fn word(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        other => other.as_str().unwrap_or("").to_owned(),
    }
}

fn number(words: &[&str]) -> Result<usize, String> {
    let word = words.first().copied().unwrap_or("");
    word.parse().map_err(|_| format!("want a number of addresses but got {word}"))
}

fn list(chosen: Chosen) -> Value {
    let index = |index| Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
    List::new(Type::Int, chosen.into_iter().map(index).collect()).into()
}

fn indexes(list: &Value) -> Chosen {
    let list = list.as_list();
    let items = list.iter().flat_map(|list| list.items());
    let index = |item: &Value| match item {
        Value::Int(index) => usize::try_from(*index).ok(),
        _ => None,
    };
    items.filter_map(index).collect()
}

fn all(of: &[Interface]) -> Chosen {
    (0..of.len()).collect()
}

fn filtered(of: &[Interface], chosen: Chosen, wanted: impl Fn(&Interface) -> bool) -> Chosen {
    chosen.into_iter().filter(|index| of.get(*index).is_some_and(&wanted)).collect()
}

/// Where others may reach us, those of the default route first.
fn routed(of: &[Interface], private: bool) -> Chosen {
    let wanted = |one: &Interface| one.up && forwardable(one) && is_private(one) == private;
    let chosen = filtered(of, all(of), wanted);
    sorted(of, chosen, "default,type,size").unwrap_or_default()
}

fn reachable(of: &[Interface], private: bool) -> Chosen {
    let chosen = filtered(of, all(of), |one| forwardable(one) && is_private(one) == private);
    sorted(of, chosen, "type,size").unwrap_or_default()
}

fn joined(
    of: &[Interface],
    chosen: impl Iterator<Item = usize>,
    name: &str,
    separator: &str,
) -> Result<String, String> {
    let attributes: Result<Vec<String>, String> =
        chosen.filter_map(|index| of.get(index)).map(|one| attribute(one, name)).collect();
    Ok(attributes?.join(separator))
}

fn attribute(one: &Interface, name: &str) -> Result<String, String> {
    Ok(match name {
        "address" => one.address.to_string(),
        "name" => one.name.clone(),
        "type" if one.address.is_ipv4() => "IPv4".to_owned(),
        "type" => "IPv6".to_owned(),
        "string" => format!("{}/{}", one.address, one.prefix),
        "mask_bits" => one.prefix.to_string(),
        other => {
            return Err(format!(
                "{other:?} is not supported: want address, name, type, string or mask_bits"
            ));
        }
    })
}

/// Sorts by words between commas; what has a minus before it the other way round.
fn sorted(of: &[Interface], mut chosen: Chosen, by: &str) -> Result<Chosen, String> {
    for word in by.split(',').map(str::trim).rev() {
        let (down, word) = match word.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        let key: fn(&Interface) -> (u128, &str) = match word {
            "address" => |one| match one.address {
                IpAddr::V4(address) => (u128::from(address.to_bits()), ""),
                IpAddr::V6(address) => (address.to_bits(), ""),
            },
            "default" => |one| (u128::from(!one.default), ""),
            "name" => |one| (0, one.name.as_str()),
            // A larger network first.
            "size" => |one| (u128::from(one.prefix), ""),
            "type" => |one| (u128::from(one.address.is_ipv6()), ""),
            other => {
                return Err(format!(
                    "{other:?} is not supported: want address, default, name, size or type"
                ));
            }
        };
        let key = |index: &usize| of.get(*index).map(key);
        // There are few.
        let mut sorted = Chosen::new();
        for index in chosen {
            let at = sorted.partition_point(|before| match key(before).cmp(&key(&index)) {
                Ordering::Equal => true,
                order => (order == Ordering::Less) != down,
            });
            sorted.insert(at, index);
        }
        chosen = sorted;
    }
    Ok(chosen)
}

fn filter(
    of: &[Interface],
    chosen: Chosen,
    words: &[&str],
    include: bool,
) -> Result<Chosen, String> {
    let [by, what] = words else { return Err("want what to look at and for".to_owned()) };
    let pattern = || Regex::new(what).map_err(|error| format!("{what:?}: {error}"));
    let keep = |wanted: &dyn Fn(&Interface) -> bool| {
        Ok(filtered(of, chosen.clone(), |one| wanted(one) == include))
    };
    match by.to_ascii_lowercase().as_str() {
        "name" => {
            let pattern = pattern()?;
            keep(&|one| pattern.is_match(&one.name))
        }
        "address" => {
            let pattern = pattern()?;
            keep(&|one| pattern.is_match(&one.address.to_string()))
        }
        "type" => match what.to_ascii_lowercase().as_str() {
            "ip" => keep(&|_| true),
            "ipv4" => keep(&|one| one.address.is_ipv4()),
            "ipv6" => keep(&|one| one.address.is_ipv6()),
            other => Err(format!("{other:?} is no type: want IP, IPv4 or IPv6")),
        },
        "flag" | "flags" => {
            let flags: Vec<&str> = what.split(['|', ',']).map(str::trim).collect();
            let known = |flag: &str| matches!(flag, "up" | "loopback" | "forwardable");
            if let Some(flag) = flags.iter().find(|flag| !known(flag)) {
                return Err(format!(
                    "the flag {flag:?} is not supported: want up, loopback or forwardable"
                ));
            }
            keep(&|one| {
                flags.iter().all(|flag| match *flag {
                    "up" => one.up,
                    "loopback" => one.loopback,
                    _ => forwardable(one),
                })
            })
        }
        "rfc" => match *what {
            "6890" => keep(&is_private),
            "1918" => keep(&|one| within(one.address, &PRIVATE_IPV4)),
            other => Err(format!("RFC {other} is not supported: want 6890 or 1918")),
        },
        "network" => {
            let network = parse_network(what);
            let network = network.ok_or_else(|| format!("{what:?} is no network"))?;
            keep(&|one| contains(network, one.address))
        }
        other => Err(format!(
            "{other:?} is not supported: want address, flags, name, network, rfc or type"
        )),
    }
}

/// RFC 1918.
const PRIVATE_IPV4: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The special-purpose address registries, RFC 6890.
const SPECIAL: [&str; 26] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "::1/128",
    "::/128",
    "64:ff9b::/96",
    "::ffff:0:0/96",
    "100::/64",
    "2001::/23",
    "2001:2::/48",
    "2001:db8::/32",
    "2001:10::/28",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
];

/// Those of them that no router forwards.
const NOT_FORWARDED: [&str; 13] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "2001:db8::/32",
    "fe80::/10",
];

fn is_private(one: &Interface) -> bool {
    within(one.address, &SPECIAL)
}

fn forwardable(one: &Interface) -> bool {
    !within(one.address, &NOT_FORWARDED)
}

fn within(address: IpAddr, networks: &[&str]) -> bool {
    let networks = networks.iter().filter_map(|network| parse_network(network));
    networks.into_iter().any(|network| contains(network, address))
}

fn parse_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix: u32 = prefix.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= longest).then_some((address, prefix))
}

fn contains((network, prefix): (IpAddr, u32), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= prefix
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= prefix
        }
        _ => false,
    }
}
