//! Registries in hosts of a network, alone or as clusters, each of which can be lost in every way.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{Consul, Host, Program, Response, Running, wait_until};

/// Three servers on a loaded machine elect a leader in some seconds.
const READY: Duration = Duration::from_secs(60);

/// A server in a host. It serves at `127.0.0.1` in there: others reach it by a [`crate::Proxy`].
/// Killed on drop.
pub struct Server {
    host: Host,
    program: Program,
    running: Option<Running>,
    port: u16,
    ready: fn(&Server) -> Result<(), String>,
}

impl Server {
    /// The port of Consul's HTTP API.
    pub const CONSUL: u16 = 8500;

    /// The port of etcd's API.
    pub const ETCD: u16 = 2379;

    /// Starts a cluster of Consul servers, one in each host, and waits for a leader. Sessions may
    /// have a time to live of one second.
    #[track_caller]
    pub fn consuls(hosts: &[Host]) -> Vec<Self> {
        let servers = json!({ "server": true, "bootstrap_expect": hosts.len(),
            "performance": { "raft_multiplier": 1 }, "session_ttl_min": "1s" });
        start(hosts.iter().map(|host| Self::consul(host, hosts, &servers)))
    }

    /// Starts a Consul agent that is no server, for the cluster of these hosts.
    #[track_caller]
    pub fn consul_agent(host: &Host, servers: &[Host]) -> Self {
        let mut agent = Self::consul(host, servers, &json!({ "server": false }));
        agent.run();
        agent.await_ready();
        agent
    }

    fn consul(host: &Host, servers: &[Host], extra: &serde_json::Value) -> Self {
        let config = json!({
            "node_name": host.name(),
            "bind_addr": host.address(),
            "client_addr": "127.0.0.1",
            "data_dir": "data",
            "retry_join": servers.iter().map(Host::address).collect::<Vec<_>>(),
            "retry_interval": "1s",
            "disable_update_check": true,
            "check_update_interval": "0s",
            "log_level": "warn",
            "ports": { "http": Self::CONSUL, "dns": -1, "grpc": -1, "serf_wan": -1 },
        });
        let program = Program::new(Consul::binary())
            .file("base.json", config.to_string())
            .file("extra.json", extra.to_string())
            .args(["agent", "-config-file=base.json", "-config-file=extra.json"]);
        Self::of(host, program, Self::CONSUL, |server| {
            let leader = server.ask("/v1/status/leader")?;
            // The agent's own node is in the catalog a little after the election.
            let nodes = server.ask("/v1/catalog/nodes")?;
            let known = nodes.contains(&format!("{:?}", server.host.name()));
            if leader.len() > 2 && known { Ok(()) } else { Err(format!("{leader} {nodes}")) }
        })
    }

    /// Starts a cluster of etcd members, one in each host, and waits for a leader.
    #[track_caller]
    pub fn etcds(hosts: &[Host]) -> Vec<Self> {
        let peers: Vec<String> = hosts
            .iter()
            .map(|host| format!("{}=http://{}:2380", host.name(), host.address()))
            .collect();
        start(hosts.iter().map(|host| {
            let peer = format!("http://{}:2380", host.address());
            let program = Program::new("etcd").args([
                "--name",
                host.name(),
                "--data-dir=data",
                "--initial-cluster-state=new",
                "--initial-cluster",
                &peers.join(","),
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
                &format!("--listen-client-urls=http://127.0.0.1:{}", Self::ETCD),
                &format!("--advertise-client-urls=http://{}:{}", host.address(), Self::ETCD),
                "--log-level=warn",
            ]);
            Self::of(host, program, Self::ETCD, |server| {
                let health = server.ask("/health")?;
                if health.contains("true") { Ok(()) } else { Err(health) }
            })
        }))
    }

    /// Starts a development catalog: the program `catalog-server` at that path.
    #[track_caller]
    pub fn development(host: &Host, binary: &Path) -> Self {
        assert!(
            binary.is_file(),
            "this test needs the development catalog, and {} is not there: cargo build -p \
             catalog-server",
            binary.display()
        );
        let listen = format!("127.0.0.1:{}", Self::CONSUL);
        let program = Program::new(binary).args(["-http", &listen, "-node", host.name()]);
        let mut server = Self::of(host, program, Self::CONSUL, |server| {
            server.ask("/v1/catalog/nodes").map(drop)
        });
        server.run();
        server.await_ready();
        server
    }

    fn of(
        host: &Host,
        program: Program,
        port: u16,
        ready: fn(&Server) -> Result<(), String>,
    ) -> Self {
        Self { host: host.clone(), program: program.on(host), running: None, port, ready }
    }

    fn run(&mut self) {
        assert!(self.running.is_none(), "{} runs", self.host.name());
        self.running = Some(self.program.spawn());
    }

    /// Waits until it serves: it has a leader, and all that it needs to say so.
    #[track_caller]
    pub fn await_ready(&mut self) {
        wait_until(&format!("{} serves", self.host.name()), READY, || {
            std::thread::sleep(Duration::from_millis(20));
            let running = self.running.as_mut().expect("it was started");
            if let Some(ended) = running.ended() {
                let (out, err) = (running.stdout_so_far(), running.stderr_so_far());
                panic!("{} ended with {ended:?}\n{out}\n{err}", self.host.name());
            }
            (self.ready)(self)
        });
    }

    /// Where it runs.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// Starts it again after [`Server::kill`] with what it had stored. Does not wait until it
    /// serves.
    #[track_caller]
    pub fn restart(&mut self) {
        self.run();
    }

    /// The same, with nothing stored.
    #[track_caller]
    pub fn restart_empty(&mut self) {
        let _ = fs::remove_dir_all(self.program.path("data"));
        self.run();
    }

    /// Stops it: see [`Running::freeze`].
    #[track_caller]
    pub fn freeze(&self) {
        self.running.as_ref().expect("it was killed").freeze();
    }

    /// Ends [`Server::freeze`].
    #[track_caller]
    pub fn thaw(&self) {
        self.running.as_ref().expect("it was killed").signal(Signal::SIGCONT);
    }

    /// Its answer to a request from its own host, within two seconds.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        body: impl AsRef<[u8]> + Send,
    ) -> io::Result<Response> {
        self.host.http(method, &format!("127.0.0.1:{}", self.port), path, body)
    }

    fn ask(&self, path: &str) -> Result<String, String> {
        let response = self.request("GET", path, "").map_err(|error| error.to_string())?;
        if response.status == 200 { Ok(response.body) } else { Err(format!("{response:?}")) }
    }

    /// Whether it leads its cluster, by its own account.
    pub fn leads(&self) -> bool {
        if self.port == Self::CONSUL {
            let address = self.host.address().to_string();
            self.ask("/v1/status/leader")
                .is_ok_and(|leader| leader.contains(&format!("{address}:")))
        } else {
            let status = self.request("POST", "/v3/maintenance/status", "{}");
            status.is_ok_and(|answer| {
                let status = answer.json();
                status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
            })
        }
    }
}

fn start(servers: impl Iterator<Item = Server>) -> Vec<Server> {
    let mut servers: Vec<Server> = servers.collect();
    for server in &mut servers {
        server.run();
    }
    for server in &mut servers {
        server.await_ready();
    }
    servers
}
