//! Something else than an etcd, or another version of it.

use std::time::{Duration, Instant};

use catalog::{Error, Session, Status};
use etcd::Options;
use testkit::{HttpStub, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{LONG, Runtime, address, build, registration};

/// What a heartbeat comes to at these members.
#[track_caller]
fn ask(members: &[String]) -> Result<(), Error> {
    ask_twice(members, LONG).0
}

/// What one heartbeat and the next one come to.
#[track_caller]
fn ask_twice(members: &[String], timeout: Duration) -> (Result<(), Error>, Result<(), Error>) {
    let mut options = Options::new(members.iter().map(|member| address(member)).collect());
    options.timeout = timeout;
    let catalog = build(options);
    Runtime::start().wait(async move {
        let app = registration("app");
        let first = catalog.heartbeat(&app, Status::Passing, "").await;
        (first, catalog.heartbeat(&app, Status::Passing, "").await)
    })
}

/// The same where every answer is this.
#[track_caller]
fn told(status: u16, body: &str) -> Result<(), Error> {
    let stub = HttpStub::start();
    stub.set_status(status);
    stub.set_body(body);
    ask(&[stub.address()])
}

#[test]
fn errors_of_all_versions_are_understood() {
    let failed = |why: &str| Err(Error::Failed(why.to_owned()));
    let refused = |why: &str| Err(Error::Refused(why.to_owned()));
    let interrupted = |why: &str| Err(Error::Interrupted(why.to_owned()));
    let foreign =
        "HTTP 404: what answers there does not know etcd's paths; is it etcd 3.4 or later?";
    for (status, body, wanted) in [
        // 3.4 and 3.5.
        (
            503,
            r#"{"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14}"#,
            failed("etcdserver: no leader"),
        ),
        (404, r#"{"error":"etcdserver: requested lease not found","code":5}"#, Err(Error::Unknown)),
        (
            403,
            r#"{"error":"etcdserver: permission denied","code":7}"#,
            refused("etcdserver: permission denied"),
        ),
        (
            429,
            r#"{"error":"etcdserver: mvcc: database space exceeded","code":8}"#,
            failed("etcdserver: mvcc: database space exceeded"),
        ),
        (503, r#"{"error":"transport is closing","code":14}"#, interrupted("transport is closing")),
        (
            500,
            r#"{"error":"context deadline exceeded","code":2}"#,
            failed("context deadline exceeded"),
        ),
        // 3.6.
        (
            401,
            r#"{"code":16,"message":"etcdserver: invalid auth token","details":[]}"#,
            refused("etcdserver: invalid auth token"),
        ),
        (
            404,
            r#"{"code":5,"message":"etcdserver: requested lease not found"}"#,
            Err(Error::Unknown),
        ),
        (404, r#"{"code":5,"message":"Not Found","details":[]}"#, refused(foreign)),
        // In a stream, old and new, whatever the status.
        (
            200,
            r#"{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}"#,
            failed("etcdserver: no leader"),
        ),
        (
            200,
            r#"{"error":{"code":7,"message":"etcdserver: permission denied"}}"#,
            refused("etcdserver: permission denied"),
        ),
        // Something else.
        (404, "Not Found", refused(foreign)),
        (502, "<html>\nbad</html>", interrupted("HTTP 502: <html> bad</html>")),
        (400, "", refused("HTTP 400: ")),
        (500, "oops", failed("HTTP 500: oops")),
    ] {
        assert_eq!(told(status, body), wanted, "{status} {body}");
    }
}

/// An answer that says that there is no such key.
const NOTHING: &str = r#"{"header":{"revision":"1"}}"#;

#[test]
fn nonsense_is_no_answer() {
    let bad_key = r#"{"header":{},"kvs":[{"key":"%%"}]}"#;
    // Without a header it is not from etcd, and does not say that there is nothing.
    for body in ["ok", "", "[", "{}", "[]", "7", r#"{"result":{}}"#, r#"{"kvs":[]}"#, bad_key] {
        let answer = told(200, body);
        assert!(
            matches!(&answer, Err(Error::Failed(why)) if why.contains("makes no sense")),
            "{body}: {answer:?}"
        );
    }
    // Whatever makes sense and has no keys.
    for body in [r#"{"header":{}}"#, r#"{"header":{},"kvs":{}}"#, r#"{"result":{"header":{}}}"#] {
        assert_eq!(told(200, body), Err(Error::Unknown), "{body}");
    }
}

#[test]
fn nobody_answers() {
    let nobody = ask(&[format!("127.0.0.1:{}", free_port())]);
    assert!(matches!(nobody, Err(Error::Unreachable(_))), "{nobody:?}");
}

#[test]
fn a_slow_member_has_half_of_the_time_and_the_others_the_rest() {
    let (slow, quick) = (HttpStub::start(), HttpStub::start());
    slow.set_delay(Duration::from_secs(60));
    quick.set_body(NOTHING);
    quick.set_delay(Duration::from_millis(100));
    let timeout = Duration::from_secs(2);
    let begun = Instant::now();
    let answers = ask_twice(&[slow.address(), quick.address()], timeout);
    assert_eq!(answers, (Err(Error::Unknown), Err(Error::Unknown)));
    assert!(begun.elapsed() >= timeout / 2, "{:?}", begun.elapsed());
    // The second time the one that answers is asked first.
    assert_eq!((slow.count(), quick.count()), (1, 2));
    // Alone it has all of the time.
    let begun = Instant::now();
    let late = Err(Error::Timeout(timeout));
    assert_eq!(ask_twice(&[slow.address()], timeout), (late.clone(), late));
    assert!(begun.elapsed() >= timeout * 2, "{:?}", begun.elapsed());
}

#[test]
fn members_without_a_leader_are_asked_once_each() {
    let members: Vec<HttpStub> = (0..3).map(|_| HttpStub::start()).collect();
    for member in &members {
        member.set_status(503);
        member.set_body(r#"{"error":"etcdserver: no leader","code":14}"#);
    }
    let addresses: Vec<String> = members.iter().map(HttpStub::address).collect();
    let answers = ask_twice(&addresses, LONG);
    let failed = Err(Error::Failed("etcdserver: no leader".to_owned()));
    assert_eq!(answers, (failed.clone(), failed));
    assert_eq!(members.iter().map(HttpStub::count).collect::<Vec<_>>(), [2, 2, 2]);
    // One that cannot find the others, which nobody can connect to.
    let nobody = format!("127.0.0.1:{}", free_port());
    let alone = [nobody.clone(), addresses[0].clone(), nobody];
    assert!(matches!(ask(&alone), Err(Error::Failed(_))));
    // Two heartbeats, each of which comes back to it once.
    assert_eq!(members[0].count(), 2 + 4);
    // One that knows better.
    members[2].set_status(200);
    members[2].set_body(NOTHING);
    assert_eq!(ask(&addresses), Err(Error::Unknown));
}

/// A member, or what stands in front of several: whoever is asked for the lease is `second`.
async fn renewal(second: fn(usize) -> &'static str) -> (Result<(), Error>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let catalog = build(Options::new(vec![address(&listener.local_addr().unwrap().to_string())]));
    let renew = async { catalog.renew_session(&Session("7".to_owned())).await };
    let mut asked = 0;
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            let is_renewal = buffer[..length].starts_with(b"POST /v3/lease/keepalive ");
            asked += usize::from(is_renewal);
            let member = if is_renewal { second(asked) } else { "18000000000000000001" };
            let body = format!(r#"{{"result":{{"header":{{"member_id":"{member}"}},"TTL":"9"}}}}"#);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    };
    let outcome = tokio::select! {
        outcome = renew => outcome,
        () = serve => panic!("the connection is kept"),
    };
    (outcome, asked)
}

#[test]
fn a_renewal_counts_if_the_member_that_knows_the_leader_confirms_it() {
    let runtime = Runtime::start();
    assert_eq!(runtime.wait(renewal(|_| "18000000000000000001")), (Ok(()), 1));
    let third = |time| if time < 3 { "2" } else { "18000000000000000001" };
    assert_eq!(runtime.wait(renewal(third)), (Ok(()), 3));
    let (never, asked) = runtime.wait(renewal(|_| "2"));
    assert!(matches!(never, Err(Error::Failed(_))), "{never:?}");
    assert!((2..10).contains(&asked), "{asked} times");
}
