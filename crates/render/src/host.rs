//! What templates see of the machine: the time and its addresses.

use std::{fs, net::IpAddr, time::SystemTime};

use catalog_functions::{Host, Interface};
use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    net::if_::InterfaceFlags,
    sys::socket::SockaddrStorage,
};

/// The one that we run on.
pub(crate) const HERE: Host = Host { now: SystemTime::now, interfaces };

fn interfaces() -> Vec<Interface> {
    let Ok(found) = getifaddrs() else { return Vec::new() };
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let default = default_route(&routes);
    found.filter_map(|found| interface(&found, default)).collect()
}

fn interface(found: &InterfaceAddress, default: Option<&str>) -> Option<Interface> {
    let address = ip(found.address.as_ref()?)?;
    let prefix = match found.netmask.as_ref().and_then(ip) {
        Some(IpAddr::V4(mask)) => mask.to_bits().count_ones(),
        Some(IpAddr::V6(mask)) => mask.to_bits().count_ones(),
        None => 0,
    };
    Some(Interface {
        address,
        prefix: u8::try_from(prefix).unwrap_or(0),
        up: found.flags.contains(InterfaceFlags::IFF_UP),
        loopback: found.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        default: default == Some(&found.interface_name),
        name: found.interface_name.clone(),
    })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
}

/// The interface of the route to everywhere, in the kernel's table: name, destination, gateway …
fn default_route(routes: &str) -> Option<&str> {
    routes.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, destination) = (words.next()?, words.next()?);
        (destination == "00000000").then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there() {
        let interfaces = interfaces();
        let found = interfaces.iter().find(|it| it.loopback && it.address.is_ipv4());
        let found = found.unwrap_or_else(|| panic!("{interfaces:?}"));
        assert_eq!((found.address.to_string().as_str(), found.prefix), ("127.0.0.1", 8));
        assert!(found.up && !found.default);
    }

    #[test]
    fn the_default_route_is_the_one_to_everywhere() {
        let table = "Iface\tDestination\tGateway\tFlags\n\
                     eth1\t0000A8C0\t00000000\t0001\n\
                     eth0\t00000000\t0100A8C0\t0003\n";
        assert_eq!(default_route(table), Some("eth0"));
        assert_eq!(default_route("Iface\tDestination\n"), None);
        assert_eq!(default_route(""), None);
    }
}
