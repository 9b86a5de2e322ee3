//! Hosts on a network of their own: what crosses a network can be lost there.
//!
//! Each host is a network namespace with one address; a further namespace holds the bridge that
//! joins them. Nothing of it is in the machine's own network, so every network has the same
//! addresses and the same ports, and disturbs nobody. Frames between two hosts are dropped on the
//! bridge: who sends them hears nothing, neither a refusal nor an unreachable host.
//!
//! The namespaces have names, `testkit-PID-NUMBER-HOST`: `ip netns exec NAME sh` shows what a host
//! sees. They are removed on drop, together with whatever still runs in them; those that a killed
//! test left behind are removed when the next test makes a network.

mod namespaces;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use nix::sched::{CloneFlags, setns};

use self::namespaces::{FOLDER, Namespaces, tool};
use crate::{Response, http_within};

/// Where files are that a program of a host sees in `/etc`.
const OVERLAYS: &str = "/etc/netns";

/// Some hosts that reach each other. Needs root.
pub struct Network(Arc<Namespaces>);

/// A host of a [`Network`]: a namespace with the interfaces `lo` and `eth0`. Its programs have its
/// name as hostname. It is there as long as a clone of it, or its network, is.
#[derive(Clone)]
pub struct Host {
    all: Arc<Namespaces>,
    index: usize,
}

impl Network {
    /// Makes a network of hosts with these names: at most eight letters each.
    ///
    /// # Panics
    /// If this is not root or a tool is missing, saying what is needed.
    #[track_caller]
    pub fn new(hosts: &[&str]) -> Self {
        Self(Arc::new(Namespaces::create(hosts)))
    }

    /// The host of that name.
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        let index = self.0.hosts.iter().position(|host| host == name);
        let index = index.unwrap_or_else(|| panic!("no host {name} in {:?}", self.0.hosts));
        Host { all: Arc::clone(&self.0), index }
    }

    /// From now on nothing that one of the two sends reaches the other.
    pub fn cut(&self, one: &Host, other: &Host) {
        self.set("add", one, other);
    }

    /// Ends [`Network::cut`].
    pub fn heal(&self, one: &Host, other: &Host) {
        self.set("delete", one, other);
    }

    fn set(&self, verb: &str, one: &Host, other: &Host) {
        let (a, b) = (one.port(), other.port());
        let pairs = format!("{{ {a} . {b}, {b} . {a} }}");
        self.0.nft(&[verb, "element", "bridge", "testkit", "cut", &pairs]);
    }
}

impl Host {
    /// Its address, which every other host of the network reaches.
    pub fn address(&self) -> Ipv4Addr {
        namespaces::address(self.index)
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        &self.all.hosts[self.index]
    }

    /// Does something in this host, on a thread of its own: sockets that it opens are the host's
    /// for as long as they live. Not on loan: a runtime's threads must be started inside.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let path = Path::new(FOLDER).join(self.namespace());
        let done = thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let namespace = File::open(&path).expect("the host is there");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
                act()
            });
            inside.join()
        });
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// The answer to a request that is sent from this host, within two seconds.
    pub fn http(
        &self,
        method: &str,
        address: &str,
        path: &str,
        body: impl AsRef<[u8]> + Send,
    ) -> io::Result<Response> {
        self.within(|| http_within(Duration::from_secs(2), method, address, path, body))
    }

    /// How often the programs of this host have asked another host for a TCP connection, the
    /// kernel's repetitions of lost requests included.
    pub fn dialled(&self) -> u64 {
        let text = self.all.nft(&["list", "counter", "bridge", "testkit", &self.port()]);
        let count = text.split_whitespace().skip_while(|word| *word != "packets").nth(1);
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no counter: {text}"))
    }

    /// What programs of this host find in `/etc/hosts`. Those that were started after the first
    /// call see later ones at once.
    pub fn set_hosts(&self, names: &[(&str, Ipv4Addr)]) {
        let mut text = String::from("127.0.0.1 localhost\n");
        for (name, address) in names {
            text.push_str(&format!("{address} {name}\n"));
        }
        self.overlay("hosts", &text);
    }

    /// Programs of this host ask this name server only. As [`Host::set_hosts`].
    pub fn set_resolver(&self, server: Ipv4Addr) {
        self.overlay("resolv.conf", &format!("nameserver {server}\noptions timeout:1\n"));
    }

    /// Written in place: a program sees the very file that was there when it was started.
    fn overlay(&self, name: &str, text: &str) {
        let folder = Path::new(OVERLAYS).join(self.namespace());
        fs::create_dir_all(&folder).expect("root may write to /etc/netns");
        fs::write(folder.join(name), text).expect("root may write to /etc/netns");
    }

    /// What starts a program in this host: the words before the program's own. Each becomes the
    /// next, and the last one the program: its process id is the first one's.
    pub(crate) fn entrance(&self) -> Vec<OsString> {
        let rename = format!("echo {} >/proc/sys/kernel/hostname && exec \"$@\"", self.name());
        let words = [
            tool("ip").into_os_string(),
            "netns".into(),
            "exec".into(),
            self.namespace().into(),
            tool("unshare").into_os_string(),
            "--uts".into(),
            "/bin/sh".into(),
            "-c".into(),
            rename.into(),
            "sh".into(),
        ];
        words.into()
    }

    /// Kills everything that runs in this host, as a loss of power would.
    pub fn kill_all(&self) {
        namespaces::kill_all(&self.namespace());
    }

    /// Whether a process is in this host.
    pub fn holds(&self, pid: u32) -> bool {
        let identity = |path: PathBuf| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let own = identity(Path::new(FOLDER).join(self.namespace()));
        own.is_some() && own == identity(format!("/proc/{pid}/ns/net").into())
    }

    fn namespace(&self) -> String {
        self.all.name(&self.all.hosts[self.index])
    }

    /// Its end of the wire on the bridge.
    fn port(&self) -> String {
        namespaces::port(self.name())
    }
}

#[cfg(test)]
mod tests;
