//! A real etcd on free ports: one member or three.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{Program, Running, free_port, http, wait_until};

mod base64;

/// A laptop under load elects a leader in a second or two.
const READY: Duration = Duration::from_secs(45);

/// How long [`Etcd::ctl`] may take.
const CTL: Duration = Duration::from_secs(30);

/// The real etcd, the yardstick, of Debian's package `etcd-server`: empty at first, killed on drop.
///
/// The methods that read and write use its JSON gateway (3.4 and later), in plain HTTP and without
/// a user. With authentication on ([`Etcd::enable_auth`]) only [`Etcd::ctl`] can look in.
pub struct Etcd {
    members: Vec<Member>,
}

struct Member {
    program: Program,
    running: Option<Running>,
    port: u16,
    tls: Option<u16>,
}

/// The certificates of an etcd that speaks TLS besides plain HTTP (PEM). Its gateway is a client of
/// its own server, so the server's certificate must be good for clients too.
pub struct EtcdTls {
    /// Whoever comes over TLS must have a certificate of this authority.
    pub ca: PathBuf,
    /// The server's.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Etcd {
    /// Starts a cluster of one. Leases live for 1 s at least.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`Etcd::start`] with further flags.
    #[track_caller]
    pub fn start_with(flags: &[&str]) -> Self {
        let mut all = vec!["--heartbeat-interval=50", "--election-timeout=500"];
        all.extend(flags);
        Self::launch(1, &all, None)
    }

    /// Starts a cluster of one that speaks TLS at a port of its own ([`Etcd::tls_port`]).
    #[track_caller]
    pub fn start_tls(tls: &EtcdTls) -> Self {
        Self::launch(1, &[], Some(tls))
    }

    /// Starts a cluster of three, whose elections take a second or two. Leases live for 2 s at
    /// least.
    #[track_caller]
    pub fn cluster() -> Self {
        Self::launch(3, &[], None)
    }

    #[track_caller]
    fn launch(count: usize, flags: &[&str], tls: Option<&EtcdTls>) -> Self {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let peers: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let cluster: Vec<String> =
            peers.iter().enumerate().map(|(i, peer)| format!("m{i}={}", url(*peer))).collect();
        let member = |(i, peer): (usize, &u16)| {
            let (port, tls_port) = (free_port(), tls.map(|_| free_port()));
            let mut clients = url(port);
            if let Some(port) = tls_port {
                clients.push_str(&format!(",https://127.0.0.1:{port}"));
            }
            let mut program = Program::new(binary())
                .env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH.replace("aarch64", "arm64"))
                .args(["--data-dir=data", "--unsafe-no-fsync", "--bcrypt-cost=4"])
                .arg(format!("--name=m{i}"))
                .arg(format!("--listen-client-urls={clients}"))
                .arg(format!("--advertise-client-urls={}", url(port)))
                .arg(format!("--listen-peer-urls={}", url(*peer)))
                .arg(format!("--initial-advertise-peer-urls={}", url(*peer)))
                .arg(format!("--initial-cluster={}", cluster.join(",")))
                .args(flags);
            if let Some(EtcdTls { ca, cert, key }) = tls {
                let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
                program = program.arg("--client-cert-auth").args([
                    file("trusted-ca-file", ca),
                    file("cert-file", cert),
                    file("key-file", key),
                ]);
            }
            Member { program, running: None, port, tls: tls_port }
        };
        let mut etcd = Self { members: peers.iter().enumerate().map(member).collect() };
        etcd.run_all();
        etcd
    }

    #[track_caller]
    fn run_all(&mut self) {
        for member in &mut self.members {
            member.running = Some(member.program.spawn());
        }
        for member in 0..self.members.len() {
            self.wait_for(member);
        }
    }

    /// Waits until a member answers and knows a leader.
    #[track_caller]
    fn wait_for(&mut self, member: usize) {
        let address = self.addresses().swap_remove(member);
        let running = self.members[member].running.as_mut().expect("it was started");
        wait_until("etcd is healthy", READY, || {
            if let Some(ended) = running.ended() {
                panic!("etcd ended with {ended:?}\n{}", running.stderr_so_far());
            }
            match http("GET", &address, "/health", "") {
                Ok(response) if response.body.contains("\"true\"") => Ok(()),
                Ok(response) => Err(format!("{} {}", response.status, response.body)),
                Err(error) => Err(format!("{error}\n{}", running.stderr_so_far())),
            }
        });
    }

    /// Kills a member with SIGKILL: connections to it are refused from now on.
    pub fn kill(&mut self, member: usize) {
        if let Some(mut running) = self.members[member].running.take() {
            running.kill();
        }
    }

    /// Kills a member if it runs, starts it again with its data at the same address, and waits
    /// until it belongs to the cluster.
    #[track_caller]
    pub fn restart(&mut self, member: usize) {
        self.kill(member);
        self.members[member].running = Some(self.members[member].program.spawn());
        self.wait_for(member);
    }

    /// Kills all members and starts them again at the same addresses with nothing in them: a
    /// cluster that was replaced.
    #[track_caller]
    pub fn restart_empty(&mut self) {
        for member in 0..self.members.len() {
            self.kill(member);
            let _ = fs::remove_dir_all(self.members[member].program.path("data"));
        }
        self.run_all();
    }

    /// Stops a member's process: connections are accepted by the kernel, and nobody answers. All of
    /// its threads stand still when this returns.
    #[track_caller]
    pub fn freeze(&self, member: usize) {
        self.members[member].running.as_ref().expect("the member was killed").freeze();
    }

    /// Ends [`Etcd::freeze`].
    #[track_caller]
    pub fn thaw(&self, member: usize) {
        self.signal(member, Signal::SIGCONT);
    }

    #[track_caller]
    fn signal(&self, member: usize, signal: Signal) {
        self.members[member].running.as_ref().expect("the member was killed").signal(signal);
    }

    /// `127.0.0.1:PORT` of the first member.
    pub fn address(&self) -> String {
        self.addresses().swap_remove(0)
    }

    /// `127.0.0.1:PORT` of each member, whether or not it runs.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect()
    }

    /// Where it speaks TLS.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn tls_port(&self) -> u16 {
        self.members[0].tls.expect("an etcd of start_tls")
    }

    /// The member that leads, as all that run see it.
    #[track_caller]
    pub fn leader(&self) -> usize {
        wait_until("all members know one leader", READY, || {
            let mut found = Vec::new();
            for (i, address) in self.addresses().iter().enumerate() {
                if self.members[i].running.is_some() {
                    let status = http("POST", address, "/v3/maintenance/status", "{}")
                        .map_err(|error| error.to_string())?
                        .json();
                    let own = status["header"]["member_id"] == status["leader"];
                    found.push((own.then_some(i), status["leader"].to_string()));
                }
            }
            let leader = found.iter().find_map(|(own, _)| *own);
            match leader {
                Some(leader) if found.iter().all(|(_, who)| *who == found[0].1) => Ok(leader),
                _ => Err(format!("{found:?}")),
            }
        })
    }

    /// The answer to a request at the first member that runs. `path` is what follows `/v3/`.
    ///
    /// # Panics
    /// If it is an error.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let member = self.members.iter().position(|member| member.running.is_some());
        let address = self.addresses().swap_remove(member.expect("a member that runs"));
        let response = http("POST", &address, &format!("/v3/{path}"), body.to_string())
            .unwrap_or_else(|error| panic!("{path} {body}: {error}"));
        assert_eq!(response.status, 200, "{path} {body}: {}", response.body);
        response.json()
    }

    /// All keys that begin with `prefix`, which is not empty, and their values.
    #[track_caller]
    pub fn keys(&self, prefix: &str) -> Vec<(String, String)> {
        let found = self.range(prefix);
        let text = |entry: &Value, field: &str| {
            let bytes = base64::decode(entry[field].as_str().unwrap_or_default());
            String::from_utf8_lossy(&bytes).into_owned()
        };
        found.iter().map(|entry| (text(entry, "key"), text(entry, "value"))).collect()
    }

    /// The lease of each key that begins with `prefix`; 0: none.
    #[track_caller]
    pub fn leases(&self, prefix: &str) -> Vec<i64> {
        let lease = |entry: &Value| entry["lease"].as_str().map_or(0, |id| id.parse().unwrap());
        self.range(prefix).iter().map(lease).collect()
    }

    #[track_caller]
    fn range(&self, prefix: &str) -> Vec<Value> {
        let mut end = prefix.as_bytes().to_vec();
        *end.last_mut().expect("a prefix that is not empty") += 1;
        let body =
            json!({"key": base64::encode(prefix.as_bytes()), "range_end": base64::encode(&end)});
        self.post("kv/range", &body)["kvs"].as_array().cloned().unwrap_or_default()
    }

    /// Writes a key.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) {
        self.put_bytes(key, value.as_bytes());
    }

    /// Writes a key with any value.
    #[track_caller]
    pub fn put_bytes(&self, key: &str, value: &[u8]) {
        let (key, value) = (base64::encode(key.as_bytes()), base64::encode(value));
        self.post("kv/put", &json!({"key": key, "value": value}));
    }

    /// Writes a key that keeps its lease.
    #[track_caller]
    pub fn put_under_its_lease(&self, key: &str, value: &str) {
        let (key, value) = (base64::encode(key.as_bytes()), base64::encode(value.as_bytes()));
        self.post("kv/put", &json!({"key": key, "value": value, "ignore_lease": true}));
    }

    /// Removes a key.
    #[track_caller]
    pub fn delete(&self, key: &str) {
        self.post("kv/deleterange", &json!({"key": base64::encode(key.as_bytes())}));
    }

    /// Ends a lease, and with it its keys.
    #[track_caller]
    pub fn revoke(&self, lease: i64) {
        self.post("lease/revoke", &json!({"ID": lease.to_string()}));
    }

    /// The number of leases.
    #[track_caller]
    pub fn lease_count(&self) -> usize {
        self.post("lease/leases", &json!({}))["leases"].as_array().map_or(0, Vec::len)
    }

    /// Forgets all that is older than the present.
    #[track_caller]
    pub fn compact(&self) {
        let revision = self.post("maintenance/status", &json!({}))["header"]["revision"].clone();
        self.post("kv/compaction", &json!({"revision": revision, "physical": true}));
    }

    /// Turns authentication on: from now on there are the user `root` with the password `root`, who
    /// may do everything, and this user, who may read and write what begins with `prefix`.
    #[track_caller]
    pub fn enable_auth(&self, user: &str, password: &str, prefix: &str) {
        let root = ["--user", "root:root"];
        self.ctl(&["user", "add", "root:root"]);
        self.ctl(&["user", "grant-role", "root", "root"]);
        self.ctl(&["auth", "enable"]);
        for command in [
            &["user", "add", &format!("{user}:{password}")][..],
            &["role", "add", "folder"],
            &["role", "grant-permission", "folder", "--prefix=true", "readwrite", prefix],
            &["user", "grant-role", user, "folder"],
        ] {
            self.ctl(&[&root[..], command].concat());
        }
    }

    /// What the client `etcdctl` (Debian's package `etcd-client`) prints, given these arguments.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> String {
        let finished = Program::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.addresses().join(",")))
            .args(args)
            .spawn()
            .wait(CTL);
        assert_eq!(finished.ended, crate::Ended::Code(0), "etcdctl {args:?}: {}", finished.stderr);
        finished.stdout
    }
}

#[track_caller]
fn binary() -> PathBuf {
    locate(&std::env::var("PATH").unwrap_or_default())
}

#[track_caller]
fn locate(path: &str) -> PathBuf {
    let mut found = path.split(':').map(|folder| Path::new(folder).join("etcd"));
    found
        .find(|file| file.is_file())
        .expect("this test needs etcd, which is not in PATH: run scripts/install-test-needs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "etcd, which is not in PATH: run scripts/install-test-needs")]
    fn a_missing_etcd_fails() {
        locate("/nonexistent:/dev");
    }
}
