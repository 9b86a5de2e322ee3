use super::*;

/// The host of the originals' documentation, out of order.
fn host() -> Vec<InterfaceAddress> {
    [
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("eth2", "fdc6:238c:c4bc::1"),
        ("eth2", "10.1.0.200"),
        ("eth1", "10.0.0.200"),
        ("eth1", "10.0.0.100"),
        ("eth0", "192.168.1.100"),
        ("eth0", "10.2.0.1"),
    ]
    .map(|(interface, address)| InterfaceAddress {
        interface: interface.into(),
        address: address.parse().expect("an address"),
    })
    .to_vec()
}

fn find(specifications: &[&str]) -> Result<String, String> {
    let specifications: Vec<String> = specifications.iter().map(|&text| text.into()).collect();
    check_interface(&specifications, &host())
        .map(|address| address.to_string())
        .map_err(|error| error.to_string())
}

#[test]
fn the_first_specification_that_matches_wins() {
    for (specifications, address) in [
        (&["eth0"][..], "10.2.0.1"),
        (&["eth0:inet"], "10.2.0.1"),
        (&["eth0[0]"], "10.2.0.1"),
        (&["eth0[1]"], "192.168.1.100"),
        (&["eth1[0]"], "10.0.0.100"),
        (&["eth2:inet6"], "fdc6:238c:c4bc::1"),
        (&["eth2[1]"], "fdc6:238c:c4bc::1"),
        (&["lo[0]"], "::1"),
        (&["lo"], "127.0.0.1"),
        (&["lo:inet6"], "::1"),
        (&["inet"], "10.2.0.1"),
        (&["inet6"], "fdc6:238c:c4bc::1"),
        (&["10.0.0.0/16"], "10.0.0.100"),
        (&["10.0.0.0/8"], "10.2.0.1"),
        (&["0.0.0.0/0"], "10.2.0.1"),
        (&["10.1.0.200/32"], "10.1.0.200"),
        (&["fdc6:238c:c4bc::/48"], "fdc6:238c:c4bc::1"),
        (&["::/0"], "fdc6:238c:c4bc::1"),
        (&["static:198.51.100.7"], "198.51.100.7"),
        (&["static:2001:db8::7"], "2001:db8::7"),
        (&["eth9", "eth0[2]", "172.16.0.0/12", "eth1"], "10.0.0.100"),
    ] {
        assert_eq!(find(specifications).as_deref(), Ok(address), "{specifications:?}");
    }
}

#[test]
fn any_interface_but_loopback() {
    let loopback: Vec<_> = host().into_iter().filter(|found| found.interface == "lo").collect();
    for specification in ["inet", "inet6"] {
        assert!(check_interface(&[specification.into()], &loopback).is_err(), "{specification}");
    }
}

#[test]
fn no_match_lists_everything() {
    let error = find(&["eth9", "172.16.0.0/12"]).expect_err("no match");
    assert_eq!(
        error,
        "no address matches eth9, 172.16.0.0/12: there are eth0 10.2.0.1, eth0 192.168.1.100, \
         eth1 10.0.0.100, eth1 10.0.0.200, eth2 10.1.0.200, eth2 fdc6:238c:c4bc::1, lo ::1, \
         lo 127.0.0.1"
    );
    let none = check_interface(&["inet".into()], &[]).expect_err("no match");
    assert_eq!(none.to_string(), "no address matches inet: there are no addresses");
}

#[test]
fn wrong_forms_are_refused_even_if_another_matches() {
    for text in [
        "",
        "eth0:",
        "eth0:inet4",
        "eth0[",
        "eth0[x]",
        "eth0[-1]",
        "[1]",
        "10.0.0.0/33",
        "10.0.0/8",
        "static:",
        "static:here",
        "eth 0",
        "2001:db8::1",
    ] {
        let error = find(&["inet", text]).expect_err(text);
        assert!(error.ends_with(RULE), "{text}: {error}");
    }
}
