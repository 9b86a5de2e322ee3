//! Ports that nobody else takes between asking for them and binding them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection of a test running
/// beside takes a port that was handed out but is not bound yet.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

struct Allocator {
    next: u16,
    /// A lock file for each port given out, held until this process ends: other test processes
    /// pass over it.
    taken: Vec<Flock<File>>,
}

static ALLOCATOR: Mutex<Option<Allocator>> = Mutex::new(None);

/// A port that is free on 127.0.0.1 for TCP and UDP, given out once on this machine while this
/// process lives.
pub fn free_port() -> u16 {
    let mut guard = ALLOCATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let allocator = guard.get_or_insert_with(|| Allocator { next: start(), taken: Vec::new() });
    for _ in 0..COUNT {
        let port = FIRST + allocator.next % COUNT;
        allocator.next = allocator.next.wrapping_add(1) % COUNT;
        if let Some(lock) = lock(port)
            && bindable(port)
        {
            allocator.taken.push(lock);
            return port;
        }
    }
    panic!("no port is free between {FIRST} and {}", FIRST + COUNT);
}

/// `n` different free ports.
pub fn free_ports(n: usize) -> Vec<u16> {
    (0..n).map(|_| free_port()).collect()
}

/// Somewhere else in every process: fewer locks to try.
fn start() -> u16 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    ((nanos ^ std::process::id().wrapping_mul(7919)) % u32::from(COUNT)) as u16
}

fn lock(port: u16) -> Option<Flock<File>> {
    let folder = std::env::temp_dir().join("testkit-ports");
    if fs::create_dir(&folder).is_ok() {
        // Other users' tests share the folder.
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777));
    }
    let file =
        File::options().create(true).append(true).open(folder.join(port.to_string())).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

fn bindable(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let mut ports = free_ports(50);
        for port in &ports {
            assert!(bindable(*port), "{port}");
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    fn a_port_is_not_given_out_twice() {
        assert!(lock(free_port()).is_none());
    }

    #[test]
    fn a_bound_port_is_not_free() {
        let port = free_port();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!bindable(port));
    }
}
