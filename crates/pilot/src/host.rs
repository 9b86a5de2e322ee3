//! The facts about this machine that a configuration depends on.

use std::{collections::BTreeMap, ffi::OsString, net::IpAddr};

use config::{Host, InterfaceAddress};

/// Gathers them. Variables whose name or value is not UTF-8 are passed by: neither templates nor
/// JSON could hold them. Children get them all the same.
pub(crate) fn facts() -> Host {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut environment = BTreeMap::new();
    environment.extend(std::env::vars_os().filter_map(text));
    Host {
        environment,
        hostname: nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .unwrap_or_else(|| "localhost".to_owned()),
        addresses: addresses(),
    }
}

/// Every address of every interface that is up; none if the kernel does not say.
fn addresses() -> Vec<InterfaceAddress> {
    use nix::net::if_::InterfaceFlags;
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let up = interfaces.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    up.filter_map(|interface| {
        let address = interface.address?;
        let address = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::from(v4.ip()),
            (None, Some(v6)) => IpAddr::from(v6.ip()),
            (None, None) => return None,
        };
        Some(InterfaceAddress { interface: interface.interface_name, address })
    })
    .collect()
}
