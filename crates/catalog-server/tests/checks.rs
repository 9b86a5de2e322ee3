//! The checks that the catalog makes: HTTP, TCP, gRPC, scripts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod catalog;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use catalog::{Catalog, SOON};
use catalog_server::{Options, ScriptChecks};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use testkit::{Ended, HttpStub, Program, free_port, wait_until};

const EVERY: &str = "10ms";

fn quick(options: &mut Options) {
    options.min_interval = Duration::from_millis(20);
    options.script_checks = ScriptChecks::Run;
}

fn output(catalog: &Catalog, check: &str) -> String {
    let checks = catalog.get("/v1/agent/checks").json();
    checks[check]["Output"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn http_and_tcp_checks_follow_their_targets() {
    let stub = HttpStub::start();
    let catalog = Catalog::start(|options| options.min_interval = Duration::from_millis(20));
    let every = "10ms";
    let checks = json!([
        {"CheckID": "http", "HTTP": stub.url("/health"), "Interval": every,
            "Header": {"X-A": ["b"]}, "Method": "POST", "Body": "ping"},
        {"CheckID": "tcp", "TCP": stub.address(), "Interval": every},
        {"CheckID": "slow", "HTTP": stub.url("/"), "Interval": every, "FailuresBeforeCritical": 3},
        {"CheckID": "ftp", "HTTP": "ftp://127.0.0.1:1/", "Interval": every},
    ]);
    catalog.register(json!({"Name": "web", "Checks": checks}));
    for check in ["http", "tcp", "slow"] {
        catalog.until(check, "passing");
    }
    let request = stub.requests().into_iter().find(|request| request.starts_with("POST /health"));
    let request = request.expect("a request");
    assert!(request.contains("x-a: b\r\n") && request.ends_with("ping"), "{request}");
    stub.set_status(429);
    catalog.until("http", "warning");
    stub.set_status(500);
    catalog.until("http", "critical");
    catalog.until("slow", "critical");
    let checks = catalog.get("/v1/agent/checks").json();
    let output = |check: &str| checks[check]["Output"].as_str().unwrap().to_owned();
    assert!(output("http").contains("500 Internal Server Error Output: ok"), "{}", output("http"));
    assert!(output("ftp").contains("neither http:// nor https://"), "{}", output("ftp"));
    drop(stub);
    catalog.until("tcp", "critical");
}

#[test]
fn an_https_server_must_prove_who_it_is_unless_that_is_waived() {
    let port = free_port().to_string();
    let certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -keyout key.pem -out cert.pem";
    let openssl = Program::new("openssl");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let folder = openssl.dir().display().to_string();
    let shell = |command: &str| {
        let command = format!("cd {folder} && exec openssl {command}");
        Program::new("sh").args(["-c", &command])
    };
    let made = shell(&words(certificate).join(" ")).spawn().wait(SOON);
    assert_eq!(made.ended, Ended::Code(0), "{made:?}");
    let _server =
        shell(&format!("s_server -accept {port} -cert cert.pem -key key.pem -www")).spawn();
    let catalog = Catalog::start(quick);
    let url = format!("https://127.0.0.1:{port}/");
    let checks = json!([
        {"CheckID": "waived", "HTTP": url, "Interval": EVERY, "TLSSkipVerify": true},
        {"CheckID": "strict", "HTTP": url, "Interval": EVERY},
    ]);
    catalog.register(json!({"Name": "web", "Checks": checks}));
    catalog.until("waived", "passing");
    wait_until("the certificate is refused", SOON, || {
        let output = output(&catalog, "strict");
        if output.contains("invalid peer certificate") { Ok(()) } else { Err(output) }
    });
    assert_eq!(catalog.state("strict"), "critical");
}

/// A server of `grpc.health.v1` whose status can be set; it knows the service `db` only.
struct Health(Arc<AtomicU8>, SocketAddr);

impl Health {
    fn start() -> Self {
        let status = Arc::new(AtomicU8::new(1));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let health = Self(Arc::clone(&status), listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let status = Arc::clone(&status);
                    let service = hyper::service::service_fn(move |request| {
                        health_answer(request, status.load(Ordering::SeqCst))
                    });
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
                }
            });
        });
        health
    }
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>;

async fn health_answer(request: Request<Incoming>, status: u8) -> Result<Answer, Infallible> {
    let known = request.uri().path() == "/grpc.health.v1.Health/Check"
        && request.headers()["content-type"] == "application/grpc";
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let (code, message) = match &body[..] {
        [0, 0, 0, 0, 0] | [0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b'] if known => ("0", vec![8, status]),
        _ => ("5", Vec::new()),
    };
    let mut framed = vec![0, 0, 0, 0, message.len() as u8];
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers.insert("grpc-message", "unknown service".parse().unwrap());
    let frames = Full::new(Bytes::from(framed)).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(frames.boxed());
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    Ok(response)
}

#[test]
fn grpc_checks_ask_for_health() {
    let health = Health::start();
    let stub = HttpStub::start();
    let catalog = Catalog::start(quick);
    let checks = json!([
        {"CheckID": "server", "GRPC": health.1.to_string(), "Interval": EVERY},
        {"CheckID": "db", "GRPC": format!("{}/db", health.1), "Interval": EVERY},
        {"CheckID": "other", "GRPC": format!("{}/other", health.1), "Interval": EVERY},
        {"CheckID": "http1", "GRPC": stub.address(), "Interval": EVERY, "Timeout": "2s"},
        {"CheckID": "nobody", "GRPC": "127.0.0.1:1", "Interval": EVERY},
        {"CheckID": "nowhere", "GRPC": "localhost", "Interval": EVERY},
    ]);
    catalog.register(json!({"Name": "db", "Checks": checks}));
    catalog.until("server", "passing");
    catalog.until("db", "passing");
    assert_eq!(output(&catalog, "db"), format!("gRPC check {}/db: success", health.1));
    for (check, part) in [
        ("other", "status 5 (NOT_FOUND): unknown service"),
        ("http1", "what answers does not speak HTTP/2"),
        ("nobody", "127.0.0.1:1: Connection refused"),
        ("nowhere", "\"localhost\" is no address: want \"host:port\""),
    ] {
        wait_until(&format!("{check} has failed"), SOON, || {
            let output = output(&catalog, check);
            if !output.is_empty() && output.contains(part) { Ok(()) } else { Err(output) }
        });
        assert_eq!(catalog.state(check), "critical", "{check}");
    }
    // NOT_SERVING
    health.0.store(2, Ordering::SeqCst);
    catalog.until("db", "critical");
    assert!(output(&catalog, "db").contains("NOT_SERVING"));
    health.0.store(1, Ordering::SeqCst);
    catalog.until("db", "passing");
}

#[test]
fn scripts_decide_by_their_exit_codes() {
    let catalog = Catalog::start(quick);
    let check = |id: &str, script: &str| json!({"CheckID": id, "Args": ["sh", "-c", script], "Interval": EVERY});
    let checks = json!([
        check("good", "echo out; echo err >&2"),
        check("hm", "echo w; exit 1"),
        check("bad", "echo c; exit 2"),
        check("killed", "echo k; kill -9 $$"),
        check("long", "yes x | head -c 10000"),
        {"CheckID": "daemon", "Args": ["sh", "-c", "sleep 5 & echo started"], "Interval": "1h"},
        {"CheckID": "none", "Args": ["/nonexistent"], "Interval": EVERY},
    ]);
    catalog.register(json!({"Name": "web", "Checks": checks}));
    catalog.until("good", "passing");
    catalog.until("hm", "warning");
    catalog.until("long", "passing");
    // It does not wait for what a script leaves running.
    catalog.until("daemon", "passing");
    assert_eq!(output(&catalog, "daemon"), "started\n");
    assert_eq!(output(&catalog, "good"), "out\nerr\n");
    assert!(output(&catalog, "long").starts_with("Captured 4096 of 10000 bytes\n...\nx\n"));
    for (check, text) in [("bad", "c\n"), ("killed", "k\n"), ("none", "cannot run /nonexistent: ")]
    {
        wait_until(&format!("{check} has run"), SOON, || {
            let output = output(&catalog, check);
            if output.starts_with(text) { Ok(()) } else { Err(output) }
        });
        assert_eq!(catalog.state(check), "critical", "{check}");
    }
    catalog.put("/v1/agent/service/deregister/web", "");
}

#[test]
fn a_script_that_is_late_or_no_longer_wanted_goes_with_its_children() {
    let catalog = Catalog::start(quick);
    let folder = Program::new("sh");
    let pids = |name: &str| folder.path(name).display().to_string();
    let check = |id: &str, timeout: &str| {
        let script = format!("sleep 3600 & echo $! $$ >{}; echo begun; wait", pids(id));
        json!({"CheckID": id, "Args": ["sh", "-c", script], "Interval": "1h", "Timeout": timeout})
    };
    let checks = json!([check("late", "500ms"), check("unwanted", "1h")]);
    catalog.register(json!({"Name": "web", "Checks": checks}));
    let alive = |name: &str| -> Vec<String> {
        let pids = std::fs::read_to_string(folder.path(name)).unwrap_or_default();
        assert!(pids.split_whitespace().count() == 2, "{name} wrote {pids:?}");
        let alive = |pid: &&str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
        };
        pids.split_whitespace().filter(alive).map(str::to_owned).collect()
    };
    wait_until("the late one is told", SOON, || {
        let output = output(&catalog, "late");
        if output == "Timed out (500ms) running check\n\nbegun\n" { Ok(()) } else { Err(output) }
    });
    wait_until("nothing of the late one is left", SOON, || {
        let alive = alive("late");
        if alive.is_empty() { Ok(()) } else { Err(alive.join(" ")) }
    });
    wait_until("the other one runs", SOON, || {
        std::fs::read_to_string(folder.path("unwanted")).is_ok_and(|pids| pids.ends_with('\n'))
    });
    assert_eq!(alive("unwanted").len(), 2);
    catalog.put("/v1/agent/check/deregister/unwanted", "");
    wait_until("nothing of the unwanted one is left", SOON, || {
        let alive = alive("unwanted");
        if alive.is_empty() { Ok(()) } else { Err(alive.join(" ")) }
    });
}

#[test]
fn nobody_runs_programs_here_unless_that_is_wanted() {
    let catalog = Catalog::start(|_| {});
    let body = r#"{"Name":"x","Args":["true"],"Interval":"1s"}"#;
    let path = "/v1/agent/check/register";
    let refused = testkit::http("PUT", &catalog.address(), path, body).unwrap();
    assert_eq!(refused.status, 500);
    assert!(refused.body.contains("Scripts are disabled"), "{}", refused.body);
}
