//! The helper around the real etcd does what it says.

use std::time::Duration;

use testkit::{Etcd, http_within, wait_until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn keys_leases_freezing_and_restarting() {
    let mut etcd = Etcd::start();
    etcd.put("/a/1", "one");
    etcd.put("/a/2", "\u{fc}");
    etcd.put("/b", "");
    etcd.compact();
    assert_eq!(etcd.keys("/a/"), [("/a/1".into(), "one".into()), ("/a/2".into(), "ü".into())]);
    assert_eq!((etcd.leases("/a/"), etcd.lease_count()), (vec![0, 0], 0));
    let granted = etcd.ctl(&["lease", "grant", "100"]);
    let hex = granted.split(' ').nth(1).unwrap();
    let lease = i64::from_str_radix(hex, 16).unwrap();
    etcd.ctl(&["put", "/a/2", "two", "--lease", hex]);
    etcd.put_under_its_lease("/a/2", "zwei");
    assert_eq!((etcd.leases("/a/2"), etcd.lease_count()), (vec![lease], 1));
    etcd.revoke(lease);
    etcd.delete("/b");
    etcd.restart(0);
    assert_eq!(etcd.keys("/"), [("/a/1".into(), "one".into())]);

    etcd.freeze(0);
    let health = || http_within(Duration::from_millis(300), "GET", &etcd.address(), "/health", "");
    assert!(health().is_err());
    etcd.thaw(0);
    wait_until("it answers again", SOON, || health().is_ok());

    let address = etcd.address();
    etcd.restart_empty();
    assert_eq!((etcd.address(), etcd.keys("/")), (address, vec![]));
    etcd.kill(0);
    assert!(http_within(SOON, "GET", &etcd.address(), "/health", "").is_err());
}

#[test]
fn three_members_and_a_leader_that_is_lost() {
    let mut etcd = Etcd::cluster();
    let first = etcd.leader();
    etcd.put("/a", "1");
    etcd.kill(first);
    let second = etcd.leader();
    assert_ne!(first, second);
    assert_eq!(etcd.keys("/"), [("/a".into(), "1".into())]);
    etcd.restart(first);
    etcd.leader();
}

#[test]
fn users() {
    let etcd = Etcd::start();
    etcd.enable_auth("bob", "secret", "/cp/");
    etcd.ctl(&["--user", "bob:secret", "put", "/cp/a", "1"]);
    assert_eq!(etcd.ctl(&["--user", "root:root", "get", "", "--prefix"]), "/cp/a\n1\n");
}
