//! A real Prometheus that scrapes what a test serves, and its checker of the text format.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Ended, Program, Response, Running, free_port, http, wait_until};

/// A laptop under load is ready in a second or two.
const READY: Duration = Duration::from_secs(45);

/// How long [`promtool`](Prometheus::check_metrics) may take.
const CHECK: Duration = Duration::from_secs(30);

/// The real Prometheus, the yardstick: one server with an empty store, killed on drop.
pub struct Prometheus {
    port: u16,
    _running: Running,
}

/// One element of the answer to a query: the labels, among them `__name__`, and the value.
pub type Sample = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// The server's binary: `PROMETHEUS_BIN`, else what `scripts/install-prometheus` installs.
    ///
    /// # Panics
    /// If there is none, saying how to get it.
    #[track_caller]
    pub fn binary() -> PathBuf {
        locate(std::env::var_os("PROMETHEUS_BIN"))
    }

    /// Starts one that scrapes `/metrics` of each target (`127.0.0.1:PORT`) as job `test`, twice a
    /// second, and waits until it answers.
    #[track_caller]
    pub fn start<T: AsRef<str>>(targets: &[T]) -> Self {
        let port = free_port();
        let targets: Vec<_> = targets.iter().map(AsRef::as_ref).collect();
        // JSON is YAML.
        let config = json!({
            "global": { "scrape_interval": "500ms", "scrape_timeout": "500ms" },
            "scrape_configs": [{ "job_name": "test", "static_configs": [{ "targets": targets }] }],
        });
        let mut running = Program::new(Self::binary())
            .file("prometheus.yml", config.to_string())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .spawn();
        let address = format!("127.0.0.1:{port}");
        wait_until("Prometheus is ready", READY, || {
            if let Some(ended) = running.ended() {
                panic!("Prometheus ended with {ended:?}\n{}", running.stderr_so_far());
            }
            match http("GET", &address, "/-/ready", "") {
                Ok(Response { status: 200, .. }) => Ok(()),
                Ok(response) => Err(format!("{} {}", response.status, response.body)),
                Err(error) => Err(format!("{error}\n{}", running.stderr_so_far())),
            }
        });
        Self { port, _running: running }
    }

    /// `127.0.0.1:PORT` of its HTTP API.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What an expression (`up`, `rate(x[1m])`) yields now: one sample for each series.
    ///
    /// # Panics
    /// If the expression is not accepted or is not an instant vector.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let data = self.get(&format!("/api/v1/query?query={}", encoded(expression)));
        assert_eq!(data["resultType"], "vector", "{expression}: {data}");
        let samples = data["result"].as_array().into_iter().flatten();
        samples.map(|sample| (labels(&sample["metric"]), value(&sample["value"][1]))).collect()
    }

    /// Waits until an expression yields exactly one sample of that value: Prometheus tells what
    /// it has scraped last.
    ///
    /// # Panics
    /// After `deadline`, with what it yields instead and what the scrapes say.
    #[track_caller]
    pub fn wait_for(&self, expression: &str, expected: f64, deadline: Duration) {
        wait_until(&format!("{expression} is {expected}"), deadline, || {
            let samples = self.query(expression);
            match samples.as_slice() {
                [(_, value)] if *value == expected => Ok(()),
                _ => Err(format!("{samples:?}; scrapes: {}", self.targets())),
            }
        });
    }

    /// What it says about its targets: `health` (`up`, `down`, `unknown`) and `lastError` of
    /// each among the rest.
    #[track_caller]
    pub fn targets(&self) -> Value {
        self.get("/api/v1/targets?state=active")["activeTargets"].clone()
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let response = http("GET", &self.address(), path, "")
            .unwrap_or_else(|error| panic!("GET {path}: {error}"));
        assert_eq!(response.status, 200, "GET {path}: {}", response.body);
        response.json()["data"].clone()
    }

    /// What `promtool check metrics` says about a page.
    #[track_caller]
    pub fn check_metrics(page: &str) -> MetricsCheck {
        let mut running = Program::new(Self::binary().with_file_name("promtool"))
            .args(["check", "metrics"])
            .stdin(page)
            .spawn();
        let finished = running.wait(CHECK);
        let said = finished.stderr.lines().map(str::to_owned).collect();
        match finished.ended {
            Ended::Code(0) => MetricsCheck::Good,
            Ended::Code(3) => MetricsCheck::Advice(said),
            Ended::Code(1) => MetricsCheck::Malformed(said),
            ended => panic!("promtool ended with {ended:?}: {said:?}"),
        }
    }
}

/// What `promtool check metrics` says about a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsCheck {
    /// Nothing: the format is right, and so are the names and the help texts.
    Good,
    /// The format is right; one line each about a name or a help text against the conventions.
    Advice(Vec<String>),
    /// It is not in the text format, and why.
    Malformed(Vec<String>),
}

#[track_caller]
fn locate(named: Option<OsString>) -> PathBuf {
    let path = named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/prometheus/usr/bin/prometheus"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "this test needs Prometheus, and {} is not there: run scripts/install-prometheus, or set \
         PROMETHEUS_BIN",
        path.display()
    );
    path
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    let labels = metric.as_object().into_iter().flatten();
    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect()
}

fn value(text: &Value) -> f64 {
    // Rust reads Go's NaN, +Inf and -Inf.
    let value = text.as_str().and_then(|text| text.parse().ok());
    value.unwrap_or_else(|| panic!("{text} is not a value"))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "/nonexistent is not there: run scripts/install-prometheus")]
    fn a_missing_prometheus_fails() {
        locate(Some("/nonexistent".into()));
    }

    #[test]
    fn values_and_queries() {
        assert_eq!(value(&json!("+Inf")), f64::INFINITY);
        assert!(value(&json!("NaN")).is_nan());
        assert_eq!(encoded("a{b=\"é\"}"), "a%7Bb%3D%22%C3%A9%22%7D");
    }
}
