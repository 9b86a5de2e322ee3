//! The socket's file: taken without stealing, left without traces.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};

/// The longest path that the kernel takes for a socket, in bytes.
const LONGEST: usize = 107;

/// Who may connect.
const MODE: u32 = 0o600;

/// How long to wait for another program that is taking a socket in the same folder.
const CROWD: Duration = Duration::from_millis(500);

/// Why a socket cannot be taken. Messages name the path.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{0}: another process listens on this socket; maybe the program is running already")]
    Live(PathBuf),
    /// Something else is there.
    #[error("{0}: exists and is no socket: remove it, or choose another path")]
    NoSocket(PathBuf),
    /// The kernel takes no such path for a socket.
    #[error("{path}: is {length} bytes long; a socket's path may have 1 to {LONGEST}")]
    Length {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// The system refuses.
    #[error("{path}: cannot {what}: {error}")]
    System {
        /// The path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// A unix socket that we listen on. Its file is removed when this is dropped, if it is still ours.
#[derive(Debug)]
pub struct Socket {
    /// Removed before the listener is closed: after that another program may take the path, and
    /// its file may get the number that ours had.
    pub(crate) file: SocketFile,
    listener: UnixListener,
}

/// The file of a socket.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Socket {
    /// Takes the path: creates its folder, replaces a socket that nobody listens on any more, and
    /// listens. Only our user may connect, from the first instant.
    ///
    /// # Errors
    /// Another process listens there, or something that is no socket is there (which stays), or
    /// the system refuses.
    pub fn bind(path: &Path) -> Result<Socket, BindError> {
        let fail =
            |what| move |error: io::Error| BindError::System { path: path.to_owned(), what, error };
        let length = path.as_os_str().len();
        if !(1..=LONGEST).contains(&length) {
            return Err(BindError::Length { path: path.to_owned(), length });
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(fail("create its folder"))?;
        let _alone = lock(parent);
        make_room(path)?;
        let socket = endpoint().map_err(fail("make a socket"))?;
        // The kernel makes the file with the mode of the socket itself.
        let mode = Mode::from_bits_truncate(MODE);
        fchmod(&socket, mode).map_err(io::Error::from).map_err(fail("set its mode"))?;
        let address = UnixAddr::new(path).map_err(io::Error::from).map_err(fail("use the path"))?;
        bind(socket.as_raw_fd(), &address).map_err(io::Error::from).map_err(fail("bind"))?;
        let made = fs::symlink_metadata(path).map_err(fail("find what was just made"))?;
        if !made.file_type().is_socket() {
            // Whoever may write to the folder has put something else there.
            return Err(BindError::NoSocket(path.to_owned()));
        }
        let file = SocketFile { path: path.to_owned(), identity: identity(&made) };
        // Not so on other systems' emulations, and with an odd umask; nobody can connect before
        // `listen`. Elsewhere the path is left alone, for a link there would be followed.
        if made.mode() & 0o777 != MODE {
            fs::set_permissions(path, Permissions::from_mode(MODE))
                .map_err(fail("set its mode"))?;
        }
        listen(&socket, Backlog::MAXALLOWABLE).map_err(io::Error::from).map_err(fail("listen"))?;
        Ok(Socket { file, listener: UnixListener::from(socket) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    pub(crate) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

fn endpoint() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}

/// Two programs that start together must not take each other's socket, which is not listened on
/// yet, for a dead one. If the folder cannot be locked, that is only a little less likely.
fn lock(folder: &Path) -> Option<Flock<File>> {
    let start = Instant::now();
    let mut file = File::open(folder).ok()?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((back, Errno::EWOULDBLOCK)) if start.elapsed() < CROWD => file = back,
            Err(_) => return None,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sees to it that nothing is at `path`, if that does no harm.
fn make_room(path: &Path) -> Result<(), BindError> {
    let fail =
        |what| move |error: io::Error| BindError::System { path: path.to_owned(), what, error };
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail("look at it")(error)),
        Ok(found) => found.file_type(),
    };
    if !kind.is_socket() {
        return Err(BindError::NoSocket(path.to_owned()));
    }
    let probe = endpoint().map_err(fail("make a socket"))?;
    let address = UnixAddr::new(path).map_err(io::Error::from).map_err(fail("use the path"))?;
    match connect(probe.as_fd().as_raw_fd(), &address) {
        // A full queue is somebody's.
        Ok(()) | Err(Errno::EAGAIN | Errno::EINPROGRESS) => Err(BindError::Live(path.to_owned())),
        Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(fail("replace it")),
        Err(Errno::ENOENT) => Ok(()),
        // Of another kind (datagrams), or not ours to try.
        Err(error) => Err(fail("tell whether somebody listens there")(error.into())),
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
