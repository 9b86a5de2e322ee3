//! An ACL token in a file that somebody else writes.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

use http_client::BuildError;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Longest token, in bytes.
const LIMIT: u64 = 4096;

const WHAT: &str = "ACL token";

/// Goes with every request.
pub(crate) type Header = (HeaderName, HeaderValue);

/// The header for a token. Its value is never shown.
pub(crate) fn header(token: &str) -> Result<Header, BuildError> {
    let mut value = HeaderValue::from_str(token).map_err(|_| {
        BuildError::Option("the token holds characters that no token has".to_owned())
    })?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static("x-consul-token"), value))
}

/// The header for a name and a password. Its value is never shown.
pub(crate) fn login(name: &str, password: &str) -> Result<Header, BuildError> {
    let pair = catalog::base64::encode(format!("{name}:{password}").as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
        .map_err(|_| BuildError::Option("the name and the password are too long".to_owned()))?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static("authorization"), value))
}

/// The token in a file, as it was when it could be read last.
pub(crate) struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    header: Header,
    stamp: Stamp,
    looked: Instant,
    /// The log has said that it cannot be read.
    told: bool,
}

/// What differs when a file has been written to or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Stamp {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

impl TokenFile {
    pub(crate) fn open(path: &Path) -> Result<Self, BuildError> {
        let (stamp, header) = read(path)?;
        let state = State { header, stamp, looked: Instant::now(), told: false };
        Ok(TokenFile { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// The header of a request at `now`. Looks at the file now and then.
    pub(crate) fn header(&self, now: Instant) -> Header {
        let mut state = self.lock();
        if now >= state.looked + LOOK {
            state.looked = now;
            let seen = fs::metadata(&self.path).map(|file| Stamp::of(&file));
            if seen.ok() != Some(state.stamp) || state.told {
                self.update(&mut state);
            }
        }
        state.header.clone()
    }

    /// The token has been refused: the header with another one, if there is another one now.
    pub(crate) fn after_refusal(&self, refused: &Header) -> Option<Header> {
        let mut state = self.lock();
        self.update(&mut state);
        (state.header != *refused).then(|| state.header.clone())
    }

    fn update(&self, state: &mut State) {
        match read(&self.path) {
            Ok((stamp, header)) => {
                if std::mem::take(&mut state.told) {
                    log::info!("{WHAT} {}: is read again", self.path.display());
                }
                state.stamp = stamp;
                state.header = header;
            }
            Err(error) if !state.told => {
                state.told = true;
                log::warn!("{error}; the token that was there before stands");
            }
            Err(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<(Stamp, Header), BuildError> {
    let unreadable = |source| BuildError::Read { what: WHAT, path: path.to_owned(), source };
    let wrong = |reason: &str| {
        let reason = reason.to_owned();
        BuildError::Content { what: WHAT, path: path.to_owned(), reason }
    };
    // Before it is read: should it change meanwhile, the next look sees that. And to open a pipe
    // would wait for its writer.
    let file = fs::metadata(path).map_err(unreadable)?;
    if !file.is_file() {
        return Err(wrong("is no file"));
    }
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(wrong("is empty"));
    }
    if text.len() as u64 > LIMIT {
        return Err(wrong("is too long for a token"));
    }
    let token = std::str::from_utf8(token).unwrap_or("\n");
    let header = header(token).map_err(|_| wrong("holds characters that no token has"))?;
    Ok((Stamp::of(&file), header))
}
