//! Taking a path: whose it is, and who may connect.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests report by panicking"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use control::{BindError, Socket};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.socket");
    (folder, path)
}

#[track_caller]
fn refused(path: &Path) -> BindError {
    let error = Socket::bind(path).expect_err("it must not be taken");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

#[test]
fn only_we_may_connect_and_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/control.socket");
    let socket = Socket::bind(&path).unwrap();
    assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    UnixStream::connect(&path).unwrap();
    assert_eq!(socket.path(), path);
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_dead_socket_is_replaced() {
    let (_folder, path) = folder();
    drop(UnixListener::bind(&path).unwrap());
    let _socket = Socket::bind(&path).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_live_socket_is_never_taken() {
    let (_folder, path) = folder();
    let live = UnixListener::bind(&path).unwrap();
    assert!(matches!(refused(&path), BindError::Live(_)));
    live.set_nonblocking(true).unwrap();
    // Also when its queue is full, and a connection would have to wait.
    let mut waiting = Vec::new();
    let socket = || {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
        use std::os::fd::AsRawFd;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        connect(socket.as_raw_fd(), &UnixAddr::new(&path).unwrap()).map(|()| socket)
    };
    while let Ok(socket) = socket() {
        waiting.push(socket);
        assert!(waiting.len() < 100_000, "its queue is never full");
    }
    assert!(matches!(refused(&path), BindError::Live(_)));
    drop(waiting);
    assert!(path.exists());
}

/// Somebody else may write to the folder, and puts a link where the socket has just been made.
#[test]
fn no_link_is_followed() {
    let (folder, path) = folder();
    let (target, link) = (folder.path().join("precious"), folder.path().join("link"));
    fs::write(&target, "precious").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    let stop = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while stop.load(Ordering::Relaxed) == 0 {
                let _ = symlink(&target, &link);
                let is_socket = fs::symlink_metadata(&path).is_ok_and(|file| !file.is_symlink());
                let _ = if is_socket { fs::rename(&link, &path) } else { fs::remove_file(&path) };
            }
        });
        for _ in 0..1000 {
            let _ = Socket::bind(&path);
        }
        stop.store(1, Ordering::Relaxed);
    });
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn what_is_no_socket_stays() {
    let (folder, path) = folder();
    fs::write(&path, "precious").unwrap();
    assert!(matches!(refused(&path), BindError::NoSocket(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(&path), BindError::NoSocket(_)));
    fs::remove_dir(&path).unwrap();
    // A link, even to a dead socket: it is not ours to remove.
    let dead = folder.path().join("dead");
    drop(UnixListener::bind(&dead).unwrap());
    symlink(&dead, &path).unwrap();
    assert!(matches!(refused(&path), BindError::NoSocket(_)));
    assert!(path.is_symlink() && dead.exists());
    fs::remove_file(&path).unwrap();
    // A socket of another kind, which may well be in use.
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    assert!(matches!(refused(&path), BindError::System { .. }));
    assert!(path.exists());
}

#[test]
fn a_path_that_cannot_be_a_sockets_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap().len() + 1;
    let _longest = Socket::bind(&folder.path().join("x".repeat(107 - base))).unwrap();
    let error = refused(&folder.path().join("x".repeat(108 - base)));
    assert!(error.to_string().contains("is 108 bytes long"), "{error}");
    assert!(Socket::bind(Path::new("")).is_err());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refused(&file.join("control.socket")).to_string();
    assert!(error.contains("cannot create its folder"), "{error}");
}

#[test]
fn a_file_that_is_not_ours_any_more_stays() {
    let (_folder, path) = folder();
    let first = Socket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = Socket::bind(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).unwrap();
    drop(second);
    assert!(!path.exists());
}

#[test]
fn of_many_that_start_together_one_takes_it() {
    for _ in 0..50 {
        let (_folder, path) = folder();
        drop(UnixListener::bind(&path).unwrap());
        let (start, done) = (Barrier::new(8), Barrier::new(8));
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let socket = Socket::bind(&path);
                    taken.fetch_add(usize::from(socket.is_ok()), Ordering::SeqCst);
                    done.wait();
                    UnixStream::connect(&path).unwrap();
                    done.wait();
                });
            }
        });
        assert_eq!(taken.load(Ordering::SeqCst), 1);
    }
}
