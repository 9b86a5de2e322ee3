//! A catalog in a thread, and what the tests ask of it.
#![allow(dead_code, reason = "each test program uses a part")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use catalog_server::{Background, Log, Options};
use testkit::{Response, http, http_within, wait_until};

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A catalog and what tests ask of it.
pub(crate) struct Catalog(pub(crate) Background);

impl Catalog {
    pub(crate) fn start(change: impl FnOnce(&mut Options)) -> Self {
        let mut options =
            Options { http: ([127, 0, 0, 1], 0).into(), log: Log::Silent, ..Options::default() };
        change(&mut options);
        Self(Background::start(options).unwrap())
    }

    pub(crate) fn address(&self) -> String {
        self.0.address().to_string()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http("GET", &self.address(), path, "").unwrap()
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &str) {
        let response = http("PUT", &self.address(), path, body).unwrap();
        assert_eq!(response.status, 200, "PUT {path} {body}: {}", response.body);
    }

    #[track_caller]
    pub(crate) fn register(&self, body: serde_json::Value) {
        self.put("/v1/agent/service/register", &body.to_string());
    }

    /// A blocking query on a thread of its own; the answer arrives with how long it took.
    pub(crate) fn blocked(&self, path: &str) -> mpsc::Receiver<(Response, Duration)> {
        let (sender, receiver) = mpsc::channel();
        let (address, path) = (self.address(), path.to_owned());
        let before = self.waiting();
        thread::spawn(move || {
            let start = Instant::now();
            let response = http_within(Duration::from_secs(60), "GET", &address, &path, "");
            let _ = sender.send((response.expect("an answer"), start.elapsed()));
        });
        wait_until("the query waits", SOON, || self.waiting() == before + 1);
        receiver
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.get("/v1/agent/self").json()["DebugConfig"]["Blocked"]["queries"].as_u64().unwrap()
    }

    pub(crate) fn state(&self, check: &str) -> String {
        let checks = self.get("/v1/agent/checks").json();
        checks[check]["Status"].as_str().unwrap_or("gone").to_owned()
    }

    #[track_caller]
    pub(crate) fn until(&self, check: &str, state: &str) {
        wait_until(&format!("{check} is {state}"), SOON, || {
            let now = self.state(check);
            if now == state { Ok(()) } else { Err(now) }
        });
    }
}

pub(crate) fn index(response: &Response) -> u64 {
    response.header("x-consul-index").expect("an index").parse().unwrap()
}
