//! Reads that any server may answer.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, Index, KeyQuery, Keys, Query, Snapshot};
use testkit::Consul;

use crate::fake::{Deed, Fake};
use crate::support::{LONG, Runtime, client_with};

fn query() -> Query {
    Query {
        service: "app".to_owned(),
        tag: Some("a b".to_owned()),
        datacenter: Some("dc1".to_owned()),
        near: Some("_agent".to_owned()),
        max_staleness: LONG,
    }
}

fn lenient(address: &str) -> Arc<dyn Catalog> {
    client_with(address, |options| options.max_stale = Some(Duration::from_secs(5)))
}

fn read(runtime: &Runtime, catalog: &Arc<dyn Catalog>, after: Option<Index>) -> Snapshot {
    let catalog = Arc::clone(catalog);
    let found = runtime.wait(async move { catalog.instances(&query(), after, LONG).await });
    found.unwrap()
}

/// Of a server that has heard of its leader so long ago.
fn answer(headers: &str, index: u64) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nX-Consul-Index: {index}\r\n{headers}Content-Length: 2\r\n\r\n[]")
        .into_bytes()
}

fn follower(request: &str, headers: &str, index: u64) -> Vec<u8> {
    if request.contains("stale") { answer(headers, index) } else { answer("", 100) }
}

#[test]
fn an_answer_that_is_too_old_is_asked_for_again() {
    type By = fn(&str) -> Vec<u8>;
    let fresh: By =
        |r| follower(r, "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 5000\r\n", 90);
    let late: By =
        |r| follower(r, "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 5001\r\n", 90);
    let orphan: By =
        |r| follower(r, "X-Consul-Knownleader: false\r\nX-Consul-Lastcontact: 0\r\n", 90);
    let silent: By = |r| follower(r, "", 90);
    for (by, after, requests, index) in [
        (fresh, None, 1, 90),
        (silent, None, 1, 90),
        (late, None, 2, 100),
        (orphan, None, 2, 100),
        (fresh, Some(Index(90)), 1, 90),
        // It lags behind what is known already.
        (fresh, Some(Index(91)), 2, 100),
    ] {
        let fake = Fake::start(Deed::By(by));
        let found = read(&fake.runtime, &lenient(&fake.address), after);
        let lines = fake.lines.lock().unwrap().clone();
        assert_eq!((found.index, lines.len()), (Index(index), requests), "{lines:?}");
        let path = "GET /v1/health/service/app?passing=1&tag=a%20b&dc=dc1&near=_agent";
        assert!(lines[0].starts_with(&format!("{path}&stale")), "{lines:?}");
        assert_eq!(lines[0].contains("&index="), after.is_some());
        assert!(lines.len() < 2 || lines[1] == format!("{path} HTTP/1.1"), "{lines:?}");
    }
    let fake = Fake::start(Deed::By(fresh));
    read(&fake.runtime, &fake.client(), None);
    assert!(!fake.lines.lock().unwrap()[0].contains("stale"), "nobody has allowed that");
}

#[test]
fn a_real_server_takes_all_that_can_be_asked() {
    let consul = Consul::start();
    let runtime = Runtime::start();
    let catalog = lenient(&consul.address());
    assert_eq!(read(&runtime, &catalog, None).instances, []);
    let found = runtime.wait(async move {
        let keys = Keys::One("none".to_owned());
        let dc = Some("dc1".to_owned());
        let query = KeyQuery { keys, datacenter: dc, max_staleness: LONG };
        let entries = catalog.entries(&query, None, LONG).await?.entries.len();
        let terms =
            catalog::SessionTerms { name: "s".to_owned(), ttl: LONG, lock_delay: Duration::ZERO };
        let session = catalog.open_session(&terms).await?;
        // Never stale.
        let token = catalog.acquire("lock", &session, &terms, b"").await?;
        let holder = catalog.holder("lock", None, LONG).await?.holder.map(|h| h.session);
        Ok::<_, Error>((entries, token.is_some(), holder == Some(session)))
    });
    assert_eq!(found, Ok((0, true, true)));
}
