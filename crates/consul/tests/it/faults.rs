//! A server that misbehaves in every way we could think of.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use catalog::{Catalog, Error, Query, Registrar, Status, watch};
use testkit::wait_until;

use crate::fake::{Deed, Fake, ok, status};
use crate::support::{LONG, lines, registration};

#[track_caller]
fn heartbeat(fake: &Fake, catalog: &Arc<dyn Catalog>) -> Result<(), Error> {
    let catalog = Arc::clone(catalog);
    fake.runtime
        .wait(async move { catalog.heartbeat(&registration("app"), Status::Passing, "").await })
}

#[test]
fn every_kind_of_bad_answer_is_its_own_error() {
    let fake = Fake::start(Deed::Silence);
    let catalog = fake.client();
    type Verdict = fn(&Error) -> bool;
    let cases: Vec<(Deed, Verdict)> = vec![
        (Deed::AnswerAndClose(b"what?\r\n\r\n".to_vec()), |e| matches!(e, Error::Interrupted(_))),
        (Deed::AnswerAndClose(Vec::new()), |e| matches!(e, Error::Interrupted(_))),
        (Deed::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), |e| {
            matches!(e, Error::Interrupted(_))
        }),
        (Deed::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()), |e| {
            matches!(e, Error::Interrupted(_))
        }),
        (Deed::Silence, |e| *e == Error::Timeout(Duration::from_secs(1))),
        (Deed::Flood, |e| matches!(e, Error::Failed(_))),
        (Deed::Answer(status(500, "Unknown check \"x\"")), |e| *e == Error::Unknown),
        (Deed::Answer(status(404, "")), |e| *e == Error::Unknown),
        (Deed::Answer(status(500, "No cluster leader")), |e| {
            *e == Error::Failed("HTTP 500: No cluster leader".into())
        }),
        (Deed::Answer(status(429, "slow")), |e| matches!(e, Error::Failed(_))),
        (Deed::Answer(status(403, "Permission\ndenied")), |e| {
            *e == Error::Refused("HTTP 403: Permission denied".into())
        }),
        (Deed::Answer(status(301, "")), |e| matches!(e, Error::Refused(_))),
        (Deed::Answer(status(503, "")), |e| matches!(e, Error::Interrupted(_))),
    ];
    for (number, (deed, is_right)) in cases.into_iter().enumerate() {
        fake.set(deed);
        let error = heartbeat(&fake, &catalog).unwrap_err();
        assert!(is_right(&error), "case {number}: {error:?}");
    }
    fake.set(Deed::Answer(ok("")));
    assert_eq!(heartbeat(&fake, &catalog), Ok(()), "and it still works");
}

#[test]
fn connections_are_kept_and_a_stale_one_is_replaced_unseen() {
    let fake = Fake::start(Deed::Answer(ok("")));
    let catalog = fake.client();
    for _ in 0..50 {
        assert_eq!(heartbeat(&fake, &catalog), Ok(()));
    }
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
    fake.set(Deed::Stale);
    for _ in 0..5 {
        assert_eq!(heartbeat(&fake, &catalog), Ok(()));
    }
    assert!(fake.connections.load(Ordering::SeqCst) >= 3);
}

#[test]
fn nonsense_is_no_change_of_a_watch() {
    let entry = r#"[{"Node":{"Node":"n","Address":"10.0.0.9"},"Checks":[],
        "Service":{"ID":"a","Service":"odd","Address":"","Port":70000}}]"#;
    let fake = Fake::start(Deed::Answer(ok(entry)));
    let query = Query {
        service: "odd".into(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(1),
    };
    let mut watch = fake.runtime.enter(|| watch(fake.client(), query));
    let (watch, set) = fake.runtime.wait(async move {
        let set = watch.changed().await;
        (watch, set)
    });
    assert_eq!((set[0].address.as_str(), set[0].port), ("10.0.0.9", 0));
    for bad in
        [&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"[..], b"\r\n", b"HTTP/9 x\r\n\r\n"]
    {
        fake.set(Deed::AnswerAndClose(bad.to_vec()));
        let seen = fake.requests.load(Ordering::SeqCst);
        wait_until("it was asked twice more", LONG, || {
            fake.requests.load(Ordering::SeqCst) > seen + 1
        });
        assert_eq!(watch.current().len(), 1);
    }
}

#[test]
fn where_waiting_is_always_cut_off_a_watch_does_not_hurry() {
    let fake = Fake::start(Deed::By(|request| {
        if request.contains("index=") { b"HTTP/9 x\r\n\r\n".to_vec() } else { ok("[]") }
    }));
    let query = Query {
        service: "cut".into(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(10),
    };
    let _watch = fake.runtime.enter(|| watch(fake.client(), query));
    std::thread::sleep(Duration::from_secs(8));
    // A read and a wait, on two connections, each time: after pauses of at least 0, 0.1, 0.2, 0.4, 0.8,
    // 1.6, 2.5 seconds.
    let requests = fake.requests.load(Ordering::SeqCst);
    assert!((9..=27).contains(&requests), "{requests} requests");
    assert!(fake.lines.lock().unwrap().iter().any(|line| line.contains("index=")));
}

#[test]
fn a_server_in_trouble_is_not_hammered_and_one_line_tells_of_it() {
    let fake = Fake::start(Deed::Answer(status(500, "out of order")));
    let registrar = fake.runtime.enter(|| Registrar::spawn(fake.client())).0;
    let app = Arc::new(registration("trouble"));
    let begun = Instant::now();
    wait_until("three seconds of checks", LONG, || {
        registrar.passing(&app);
        begun.elapsed() > Duration::from_secs(3)
    });
    let requests = fake.requests.load(Ordering::SeqCst);
    assert!((3..20).contains(&requests), "{requests} requests");
    fake.set(Deed::Answer(ok("")));
    wait_until("it works again", LONG, || {
        registrar.passing(&app);
        let told = lines(log::Level::Info, "trouble-host");
        told.iter().any(|line| line.contains("the catalog takes it again"))
    });
    assert_eq!(
        lines(log::Level::Warn, "trouble-host"),
        ["trouble-host: registration failed: HTTP 500: out of order"]
    );
}

/// Any web server that does not know Consul's paths.
#[test]
fn a_server_that_is_no_consul_is_not_hammered_and_one_line_tells_of_it() {
    let fake = Fake::start(Deed::Answer(status(404, "nothing here")));
    let registrar = fake.runtime.enter(|| Registrar::spawn(fake.client())).0;
    let app = Arc::new(registration("stranger"));
    let begun = Instant::now();
    let mut checks = 0;
    wait_until("two seconds of checks", LONG, || {
        if begun.elapsed() >= Duration::from_millis(200) * checks {
            registrar.passing(&app);
            checks += 1;
        }
        begun.elapsed() > Duration::from_secs(2)
    });
    let requests = fake.requests.load(Ordering::SeqCst);
    assert!((1..=20).contains(&requests), "{requests} requests in two seconds");
    let warnings = lines(log::Level::Warn, "stranger-host");
    assert!(warnings.len() == 1 && warnings[0].contains("is it a Consul agent?"), "{warnings:?}");
}

#[test]
fn a_silent_server_with_a_hundred_services_sees_a_few_requests() {
    let fake = Fake::start(Deed::Silence);
    let registrar = fake.runtime.enter(|| Registrar::spawn(fake.client())).0;
    let many: Vec<_> = (0..100).map(|n| Arc::new(registration(&format!("mute{n}")))).collect();
    let begun = Instant::now();
    wait_until("four seconds of checks", LONG, || {
        many.iter().for_each(|one| registrar.passing(one));
        begun.elapsed() > Duration::from_secs(4)
    });
    let requests = fake.requests.load(Ordering::SeqCst);
    assert!((2..10).contains(&requests), "{requests} requests");
}
