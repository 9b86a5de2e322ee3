//! A real Consul agent on free ports.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{Program, Response, Running, free_ports, http, wait_until};

/// A laptop under load elects a leader in a second or two.
const READY: Duration = Duration::from_secs(45);

/// The real Consul, the yardstick: one agent with an empty catalog, killed on drop.
pub struct Consul {
    program: Program,
    running: Option<Running>,
    http: u16,
    serf: u16,
}

impl Consul {
    /// The binary: `CONSUL_BIN`, else what `scripts/install-consul` installs.
    ///
    /// # Panics
    /// If there is none, saying how to get it.
    #[track_caller]
    pub fn binary() -> PathBuf {
        locate(std::env::var_os("CONSUL_BIN"))
    }

    /// Starts a server of one and waits for its leadership.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(json!({}))
    }

    /// [`Consul::start`] with further configuration, in the fields of Consul's configuration file.
    #[track_caller]
    pub fn start_with(config: Value) -> Self {
        Self::launch(&["-dev"], json!({}), &config)
    }

    /// Starts a client agent that joins `server`, and waits until the server knows its node. Its
    /// registrations travel to the server's catalog.
    #[track_caller]
    pub fn agent_of(server: &Self) -> Self {
        let join = json!({ "retry_join": [format!("127.0.0.1:{}", server.serf)],
            "retry_interval": "1s", "data_dir": "data", "server": false });
        let agent = Self::launch(&[], join, &json!({}));
        let node = agent.node();
        wait_until("the server knows its agent", READY, || {
            let nodes = server.get("/v1/catalog/nodes").body;
            if nodes.contains(&format!("{node:?}")) { Ok(()) } else { Err(nodes) }
        });
        agent
    }

    fn launch(flags: &[&str], base: Value, extra: &Value) -> Self {
        let ports = free_ports(4);
        let mut config = json!({
            "node_name": format!("node-{}", ports[0]),
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "disable_update_check": true,
            // A check's new output is in the catalog at once, not after five minutes.
            "check_update_interval": "0s",
            "log_level": "warn",
            "ports": { "http": ports[0], "serf_lan": ports[1], "serf_wan": ports[2],
                "server": ports[3], "dns": -1, "grpc": -1, "https": -1 },
        });
        for (key, value) in base.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        // Files are merged in the order of the arguments.
        let program = Program::new(Self::binary())
            .file("base.json", config.to_string())
            .file("extra.json", extra.to_string())
            .arg("agent")
            .args(flags)
            .args(["-config-file=base.json", "-config-file=extra.json"]);
        let mut consul = Self { program, running: None, http: ports[0], serf: ports[1] };
        consul.run();
        consul
    }

    #[track_caller]
    fn run(&mut self) {
        let mut running = self.program.spawn();
        let address = self.address();
        wait_until("Consul has a leader", READY, || {
            if let Some(ended) = running.ended() {
                panic!(
                    "Consul ended with {ended:?}\n{}\n{}",
                    running.stdout_so_far(),
                    running.stderr_so_far()
                );
            }
            // In development mode what is empty ends with a newline.
            let response = http("GET", &address, "/v1/status/leader", "");
            match response {
                Ok(response) if response.status == 200 && response.body.trim().len() > 2 => {
                    // The agent's own node is in the catalog a little after the election, and so are
                    // its tokens among those that are known; a moment later its own check, without
                    // which there are no sessions.
                    match http("GET", &address, "/v1/health/state/any", "") {
                        Ok(any) if any.status == 200 && any.body.contains("serfHealth") => Ok(()),
                        other => Err(format!("{other:?}")),
                    }
                }
                Ok(response) => Err(format!("{} {}", response.status, response.body)),
                Err(error) => Err(format!("{error}\n{}", running.stdout_so_far())),
            }
        });
        self.running = Some(running);
    }

    /// Kills it and starts it again at the same address with an empty catalog: an agent that was
    /// replaced.
    #[track_caller]
    pub fn restart_empty(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(self.program.path("data"));
        self.run();
    }

    /// Starts it again after [`Consul::kill`], at the same address.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }

    /// Kills it with SIGKILL: connections to it are refused from now on.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// Stops its process: see [`Running::freeze`].
    #[track_caller]
    pub fn freeze(&self) {
        self.running.as_ref().expect("Consul was killed").freeze();
    }

    /// Ends [`Consul::freeze`].
    #[track_caller]
    pub fn thaw(&self) {
        self.running.as_ref().expect("Consul was killed").signal(Signal::SIGCONT);
    }

    /// Its process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("Consul was killed").pid()
    }

    /// `127.0.0.1:PORT` of its HTTP API.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// The name of its node.
    pub fn node(&self) -> String {
        format!("node-{}", self.http)
    }

    /// The answer to a GET, within ten seconds.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    /// Status and body of the answer to a GET.
    #[track_caller]
    pub fn http_get(&self, path: &str) -> (u16, String) {
        let response = self.get(path);
        (response.status, response.body)
    }

    /// The answer to a request.
    ///
    /// # Panics
    /// If there is none within ten seconds.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
        http(method, &self.address(), path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The services registered with this agent, an object by id.
    #[track_caller]
    pub fn services(&self) -> Value {
        self.get("/v1/agent/services").json()
    }

    /// Every instance of a service in the catalog: its id and its worst status (`passing`,
    /// `warning`, `critical`), sorted by id.
    #[track_caller]
    pub fn health(&self, service: &str) -> Vec<(String, String)> {
        let entries = self.get(&format!("/v1/health/service/{service}")).json();
        let mut instances: Vec<_> = entries
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| {
                let id = entry["Service"]["ID"].as_str().unwrap_or_default().to_owned();
                (id, worst(&entry["Checks"]).to_owned())
            })
            .collect();
        instances.sort();
        instances
    }

    /// Registers a service with this agent, in the fields of `/v1/agent/service/register`.
    #[track_caller]
    pub fn register(&self, service: Value) {
        self.put("/v1/agent/service/register", &service.to_string());
    }

    /// Removes a service of this agent.
    #[track_caller]
    pub fn deregister(&self, id: &str) {
        self.put(&format!("/v1/agent/service/deregister/{id}"), "");
    }

    #[track_caller]
    fn put(&self, path: &str, body: &str) {
        let response = self.request("PUT", path, body);
        assert_eq!(response.status, 200, "PUT {path} {body}: {}", response.body);
    }
}

#[track_caller]
fn locate(named: Option<OsString>) -> PathBuf {
    let path = named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/consul/usr/bin/consul"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "this test needs Consul, and {} is not there: run scripts/install-consul, or set CONSUL_BIN",
        path.display()
    );
    path
}

fn worst(checks: &Value) -> &'static str {
    let has = |status: &str| {
        checks.as_array().into_iter().flatten().any(|check| check["Status"] == *status)
    };
    if has("critical") {
        "critical"
    } else if has("warning") {
        "warning"
    } else {
        "passing"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "/nonexistent is not there: run scripts/install-consul")]
    fn a_missing_consul_fails() {
        locate(Some("/nonexistent".into()));
    }

    #[test]
    fn the_worst_check_decides() {
        assert_eq!(worst(&json!([])), "passing");
        assert_eq!(worst(&json!([{"Status": "passing"}, {"Status": "warning"}])), "warning");
        assert_eq!(worst(&json!([{"Status": "critical"}, {"Status": "warning"}])), "critical");
    }
}
