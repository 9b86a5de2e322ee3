//! Whether a file exists, and is young enough.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::reason;

/// A file, and how old it may be.
pub(super) struct File {
    path: Arc<Path>,
    place: String,
    younger_than: Option<Duration>,
    /// Since when somebody looks at it. A file system that hangs (a server that is gone) hangs
    /// whoever looks, and it must not be one more with every check.
    looking: Arc<Mutex<Option<Instant>>>,
}

impl File {
    pub(super) fn new(path: &Path, younger_than: Option<Duration>) -> File {
        let place = path.display().to_string();
        let path = Arc::from(path);
        File { path, place, younger_than, looking: Arc::default() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Looks at it.
    pub(super) async fn find_out(&self) -> Result<String, String> {
        let place = &self.place;
        if let Some(since) = *self.looking() {
            let age = since.elapsed().as_secs();
            return Err(format!(
                "{place} cannot be looked at: a look has been under way for {age}s"
            ));
        }
        *self.looking() = Some(Instant::now());
        let (path, looking) = (Arc::clone(&self.path), Arc::clone(&self.looking));
        let changed = tokio::task::spawn_blocking(move || {
            let changed = fs::metadata(&path).and_then(|file| file.modified());
            *looking.lock().unwrap_or_else(PoisonError::into_inner) = None;
            changed
        });
        let changed = changed.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let changed = changed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{place} does not exist"),
            _ => format!("{place} cannot be looked at: {}", reason(&error)),
        })?;
        // One that was changed in the future is young.
        let age = SystemTime::now().duration_since(changed).unwrap_or_default();
        match self.younger_than {
            Some(limit) if age >= limit => {
                Err(format!("{place} is {} old, want less than {}", rough(age), rough(limit)))
            }
            Some(_) => Ok(format!("{place} is {} old", rough(age))),
            None => Ok(format!("{place} exists")),
        }
    }

    pub(super) fn looking(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As a person would say it.
pub(super) fn rough(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{}ms", time.as_millis()),
        seconds @ ..120 => format!("{seconds}s"),
        seconds @ ..7_200 => format!("{}m", seconds / 60),
        seconds @ ..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
