//! Replacing a file as a whole: a candidate is written beside it and takes its place by a rename,
//! so that nobody ever sees half a file, and whoever has the old one open keeps it.
//!
//! The candidate of `NAME` is `.NAME.new-XXXXXX`: in the same folder, so that the rename is one
//! step and what the text includes by relative paths is found while it is judged; with a leading
//! dot, so that no pattern such as `*.conf` finds it. It is locked as long as its owner lives. One
//! that nobody has locked was left by an owner that was killed, and is removed.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions, Permissions},
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::Target;

/// Permissions of a file that is new.
const NEW_MODE: u32 = 0o644;

/// Letters and digits at the end of a candidate's name.
const RANDOM: usize = 6;

/// Bytes of a file's name that any file system takes.
const LONGEST_NAME: usize = 255;

/// As many links as Linux itself follows.
const MOST_LINKS: usize = 40;

/// A text on its way.
pub(crate) enum Prepared {
    /// The file has it already.
    Same,
    /// It is on the disk and can take the file's place.
    Candidate(Candidate),
}

/// A text that stands on the disk beside the file that it may replace. Dropping it removes it.
pub(crate) struct Candidate {
    path: PathBuf,
    destination: PathBuf,
    backup: bool,
    installed: bool,
    _lock: Option<Flock<File>>,
}

/// Compares the text with the file, and writes a candidate if it is another.
pub(crate) fn prepare(target: &Target, text: &str) -> Result<Prepared, String> {
    let failed = |why: String| format!("cannot write {}: {why}", target.path.display());
    let destination = follow_links(&target.path).map_err(failed)?;
    let folder = folder_of(&destination);
    if target.create_folders {
        let made = fs::create_dir_all(folder);
        made.map_err(|error| {
            let files = folder.ancestors().find(|above| above.is_file());
            failed(match files {
                Some(file) => format!("{} is a file, not a folder", file.display()),
                None => format!("cannot make the folder {}: {error}", folder.display()),
            })
        })?;
    }
    let old = look(&destination).map_err(failed)?;
    if let Some(old) = &old
        && has_text(&destination, old, text)
    {
        correct(target, &destination, old).map_err(failed)?;
        return Ok(Prepared::Same);
    }
    if let Err(error) = fs::metadata(folder)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Err(failed(format!("there is no folder {}", folder.display())));
    }
    remove_stale(&destination);
    let candidate = write(target, &destination, old.as_ref(), text);
    candidate.map(Prepared::Candidate).map_err(failed)
}

impl Candidate {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It takes the file's place, unless it has been left behind on a disk that hung: by now the
    /// file may be a successor's.
    pub(crate) fn install(mut self, is_left: &AtomicBool) -> Result<(), String> {
        let failed = |why: String| format!("cannot write {}: {why}", self.destination.display());
        if self.backup {
            back_up(&self.destination).map_err(failed)?;
        }
        if is_left.load(Ordering::SeqCst) {
            return Err(failed("it took too long".to_owned()));
        }
        if let Err(error) = fs::rename(&self.path, &self.destination) {
            return Err(failed(match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                Errno::EBUSY => "it is a mount point and cannot be replaced; mount the folder \
                                 that it is in instead"
                    .to_owned(),
                _ => error.to_string(),
            }));
        }
        self.installed = true;
        sync_folder(folder_of(&self.destination));
        Ok(())
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if !self.installed {
            // Whoever has removed it has done what is to be done.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what a predecessor that was killed has left beside the file.
pub(crate) fn remove_leftovers(target: &Target) {
    if let Ok(destination) = follow_links(&target.path) {
        remove_stale(&destination);
    }
}

/// The file that a path means in the end, whether or not it exists.
fn follow_links(path: &Path) -> Result<PathBuf, String> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            // What is relative begins where the link is; `join` takes what is absolute as it is.
            Ok(to) => path = folder_of(&path).join(to),
            // No link, or not there: writing will tell what else is wrong.
            Err(_) => return Ok(path),
        }
    }
    Err("its symbolic links go round in a circle".to_owned())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// What is there now. Only a regular file can be replaced.
fn look(destination: &Path) -> Result<Option<Metadata>, String> {
    match fs::symlink_metadata(destination) {
        Ok(old) if old.is_file() => Ok(Some(old)),
        Ok(old) if old.is_dir() => Err("it is a folder, not a file".to_owned()),
        Ok(_) => Err("it is no regular file".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// One that cannot be read is taken for another: it can be replaced all the same.
fn has_text(destination: &Path, old: &Metadata, text: &str) -> bool {
    old.len() == text.len() as u64
        && fs::read(destination).is_ok_and(|found| found == text.as_bytes())
}

/// The text is right; mode and owner may not be what was asked for.
fn correct(target: &Target, destination: &Path, old: &Metadata) -> Result<(), String> {
    let user = target.user.filter(|user| *user != old.uid());
    let group = target.group.filter(|group| *group != old.gid());
    if user.is_some() || group.is_some() {
        chown(destination, user, group).map_err(|error| owner_failed(user, group, &error))?;
    }
    match target.mode {
        // A change of the owner may have taken bits away.
        Some(mode) if mode != old.mode() & 0o7777 || user.is_some() || group.is_some() => {
            let set = fs::set_permissions(destination, Permissions::from_mode(mode));
            set.map_err(|error| format!("cannot set its mode to {mode:04o}: {error}"))
        }
        _ => Ok(()),
    }
}

fn owner_failed(user: Option<u32>, group: Option<u32>, error: &io::Error) -> String {
    let whom = match (user, group) {
        (Some(user), Some(group)) => format!("user {user} and group {group}"),
        (Some(user), None) => format!("user {user}"),
        (None, Some(group)) => format!("group {group}"),
        (None, None) => "its owner".to_owned(),
    };
    format!("cannot give it to {whom}: {error}")
}

fn write(
    target: &Target,
    destination: &Path,
    old: Option<&Metadata>,
    text: &str,
) -> Result<Candidate, String> {
    let in_words = |error: io::Error| error.to_string();
    let (path, file) = create(destination).map_err(in_words)?;
    // Not every file system has locks: there, what a killed owner leaves stays.
    let lock = file.try_clone().ok();
    let lock = lock.and_then(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).ok());
    let candidate = Candidate {
        path,
        destination: destination.to_owned(),
        backup: target.backup,
        installed: false,
        _lock: lock,
    };
    let mut file = &file;
    file.write_all(text.as_bytes()).map_err(in_words)?;
    // The owner first: changing it takes bits of the mode away.
    let new = file.metadata().map_err(in_words)?;
    let user = target.user.or(old.map(Metadata::uid)).filter(|user| *user != new.uid());
    let group = target.group.or(old.map(Metadata::gid)).filter(|group| *group != new.gid());
    if user.is_some() || group.is_some() {
        fchown(file, user, group).map_err(|error| owner_failed(user, group, &error))?;
    }
    let kept = old.map_or(NEW_MODE, |old| old.mode() & 0o7777);
    let mode = target.mode.unwrap_or(kept);
    file.set_permissions(Permissions::from_mode(mode)).map_err(in_words)?;
    file.sync_all().map_err(in_words)?;
    Ok(candidate)
}

/// Readable by nobody else until it has the owner and the mode that it is to have.
fn create(destination: &Path) -> io::Result<(PathBuf, File)> {
    let prefix = candidate_prefix(destination);
    loop {
        let path = folder_of(destination).join(with_random(&prefix));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((path, opened?)),
        }
    }
}

/// `.NAME.new-`, of a name that is cut if the whole were too long.
fn candidate_prefix(destination: &Path) -> Vec<u8> {
    const MARK: &[u8] = b".new-";
    let name = destination.file_name().unwrap_or(OsStr::new("")).as_bytes();
    let room = LONGEST_NAME - 1 - MARK.len() - RANDOM;
    let name = name.get(..room).unwrap_or(name);
    [b".", name, MARK].concat()
}

fn with_random(prefix: &[u8]) -> OsString {
    // Each has other keys: good enough for names that `create_new` protects.
    let mut bits = RandomState::new().hash_one(0u8);
    let mut name = prefix.to_vec();
    for _ in 0..RANDOM {
        let digit = u32::try_from(bits % 36).unwrap_or(0);
        name.extend(char::from_digit(digit, 36).map(|digit| digit as u8));
        bits /= 36;
    }
    OsString::from_vec(name)
}

/// Candidates for this file that nobody has locked. Best effort: what cannot be looked at stays.
fn remove_stale(destination: &Path) {
    let prefix = candidate_prefix(destination);
    let Ok(entries) = fs::read_dir(folder_of(destination)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_candidate = name
            .as_bytes()
            .strip_prefix(prefix.as_slice())
            .is_some_and(|end| end.len() == RANDOM && end.iter().all(u8::is_ascii_alphanumeric));
        if !is_candidate || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            log::debug!("removing {}, which was left behind", entry.path().display());
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The old file under its name with `.bak`, by a link: it stays where it is meanwhile.
fn back_up(destination: &Path) -> Result<(), String> {
    if !destination.exists() {
        return Ok(());
    }
    let mut name = destination.as_os_str().to_owned();
    name.push(".bak");
    let backup = PathBuf::from(name);
    remove_stale(&backup);
    let beside = folder_of(destination).join(with_random(&candidate_prefix(&backup)));
    let done = fs::hard_link(destination, &beside)
        // Not every file system has links.
        .or_else(|_| fs::copy(destination, &beside).map(drop))
        .and_then(|()| fs::rename(&beside, &backup));
    // It is still there if something failed, and also if both were the same file already.
    let _ = fs::remove_file(&beside);
    done.map_err(|error| format!("cannot keep the old one as {}: {error}", backup.display()))
}

/// The rename is on the disk too. The file is in place already, so that nobody could do anything
/// about a failure; and not every file system knows this.
fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        log::debug!("cannot sync {}: {error}", folder.display());
    }
}

#[cfg(test)]
mod tests;
