//! The namespaces of one network: made, counted on, removed.

use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// Where `ip netns` keeps its names.
pub(super) const FOLDER: &str = "/run/netns";

/// The namespace of the bridge; no host is called so.
const SWITCH: &str = "-";

/// All that belongs to one network.
pub(super) struct Namespaces {
    prefix: String,
    pub(super) hosts: Vec<String>,
}

/// Held as long as this process lives: its networks are in use.
static OWNER: OnceLock<Flock<File>> = OnceLock::new();

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// One at a time: making and removing. `ip netns` prepares its folder on first use.
static WORK: Mutex<()> = Mutex::new(());

impl Namespaces {
    #[track_caller]
    pub(super) fn create(hosts: &[&str]) -> Self {
        assert!(
            geteuid().is_root(),
            "this test makes hosts of its own, network namespaces, which only root may: run it as \
             root, in a container with --privileged"
        );
        let _alone = WORK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        OWNER.get_or_init(|| {
            sweep();
            own(std::process::id()).expect("nobody else has our process id")
        });
        let prefix =
            format!("testkit-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let made = Self { prefix, hosts };
        made.lay();
        made
    }

    /// Pulls the wires.
    fn lay(&self) {
        let switch = self.name(SWITCH);
        run(&["ip", "-batch", "-"], &{
            let names = self.hosts.iter().map(String::as_str).chain([SWITCH]);
            names.map(|name| format!("netns add {}\n", self.name(name))).collect::<String>()
        });
        let mut wires = String::from("link add name bridge type bridge\nlink set bridge up\n");
        let mut counters = String::new();
        for host in &self.hosts {
            let (port, namespace) = (port(host), self.name(host));
            wires.push_str(&format!(
                "link add name {port} type veth peer name eth0 netns {namespace}\n\
                 link set {port} master bridge up\n"
            ));
            counters.push_str(&format!("counter {port} {{ }}\n"));
        }
        run(&["ip", "-n", &switch, "-batch", "-"], &wires);
        for (index, host) in self.hosts.iter().enumerate() {
            let address = address(index);
            run(
                &["ip", "-n", &self.name(host), "-batch", "-"],
                &format!("addr add {address}/24 dev eth0\nlink set eth0 up\nlink set lo up\n"),
            );
        }
        // Who asks for an address gets an answer even over a cut: a missing one would be an error
        // at the sender, who is to hear nothing.
        let rules = format!(
            "table bridge testkit {{
               {counters}
               map dialled {{ type ifname : counter; elements = {{ {} }}; }}
               set cut {{ type ifname . ifname; }}
               chain forward {{
                 type filter hook forward priority 0; policy accept;
                 tcp flags & (syn | ack) == syn counter name iifname map @dialled
                 ether type ip iifname . oifname @cut drop
               }}
             }}",
            self.hosts
                .iter()
                .map(|host| format!("{0} : {0}", port(host)))
                .collect::<Vec<_>>()
                .join(", ")
        );
        run(&["ip", "netns", "exec", &switch, "nft", "-f", "-"], &rules);
    }

    /// Speaks to the filter on the bridge.
    pub(super) fn nft(&self, words: &[&str]) -> String {
        let switch = self.name(SWITCH);
        let mut all = vec!["ip", "netns", "exec", &switch, "nft"];
        all.extend(words);
        run(&all, "")
    }

    pub(super) fn name(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _alone = WORK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for host in self.hosts.iter().map(String::as_str).chain([SWITCH]) {
            remove(&self.name(host));
        }
    }
}

/// The address of the host with that index.
pub(super) fn address(index: usize) -> Ipv4Addr {
    let last = u8::try_from(index + 1).expect("few hosts");
    Ipv4Addr::new(10, 77, 0, last)
}

/// A host's end of the wire on the bridge. The names of interfaces have at most 15 characters, and
/// `ip` takes some short words for its own.
pub(super) fn port(host: &str) -> String {
    assert!(host.len() <= 8 && host.bytes().all(|b| b.is_ascii_alphanumeric()), "{host}");
    format!("to_{host}")
}

/// Removes what killed tests have left behind.
pub(super) fn sweep() {
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("testkit-").and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse().ok()) else { continue };
        // Held until it is removed: nobody else does the same.
        if let Some(_dead) = own(pid) {
            remove(&name);
        }
    }
}

/// Ends what runs in a namespace, and removes it. Best effort: the machine may have lost it.
fn remove(name: &str) {
    kill_all(name);
    let _ = output(&["ip", "netns", "del", name], "");
    let _ = fs::remove_dir_all(Path::new(super::OVERLAYS).join(name));
}

/// Kills what runs in a namespace. Twice: a process may have forked while the list was made.
pub(super) fn kill_all(name: &str) {
    for _ in 0..2 {
        let pids = output(&["ip", "netns", "pids", name], "").unwrap_or_default();
        for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            if pid != std::process::id() as i32 {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// The lock of a process that has networks; `None` while another process holds it.
fn own(pid: u32) -> Option<Flock<File>> {
    let folder = std::env::temp_dir().join("testkit-networks");
    fs::create_dir_all(&folder).ok()?;
    let file = File::options().create(true).append(true).open(folder.join(pid.to_string())).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// The path of a tool: `sbin` is not in everybody's `PATH`.
#[track_caller]
pub(super) fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("this test needs {name}: run scripts/install-test-needs"))
}

/// Runs a tool to its end and answers with what it wrote.
///
/// # Panics
/// If it fails, with what it said.
#[track_caller]
pub(super) fn run(words: &[&str], input: &str) -> String {
    output(words, input).unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
}

fn output(words: &[&str], input: &str) -> Result<String, String> {
    let (first, rest) = words.split_first().expect("a tool");
    let mut child = Command::new(tool(first))
        .args(rest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let done = child.wait_with_output().map_err(|error| error.to_string())?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(format!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr)))
    }
}
