//! Finding the file to execute, and explaining why it cannot be.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::SpawnError;
use crate::credentials::{self, Step};
use crate::place::Place;

/// Where to look if the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the file is that [`Processes::spawn`](crate::Processes::spawn) would execute for a
/// [`Spec`](crate::Spec) with these fields, and as us.
///
/// # Errors
/// There is none, or none that can be executed.
pub fn locate(
    program: &str,
    environment: &BTreeMap<OsString, OsString>,
    directory: Option<&Path>,
) -> Result<PathBuf, SpawnError> {
    resolve(program, environment, Place { directory, identity: None })
}

/// The file to execute for `program`: itself if it has a slash, else the first executable file of
/// that name in the directories of `PATH`, as a shell would find it. Relative paths are the child's:
/// from its working directory.
pub(crate) fn resolve(
    program: &str,
    environment: &BTreeMap<OsString, OsString>,
    place: Place<'_>,
) -> Result<PathBuf, SpawnError> {
    let lost = |source| {
        let reason = "our own working directory is gone";
        SpawnError::Other { program: program.to_owned(), reason, source }
    };
    let not_found = |reason| SpawnError::NotFound { program: program.to_owned(), reason };
    let not_executable = |reason| SpawnError::NotExecutable { program: program.to_owned(), reason };
    if program.is_empty() {
        return Err(not_found("the program's name is empty".to_owned()));
    }
    if program.contains('/') {
        let path = place.locate(Path::new(program)).map_err(lost)?;
        return match examine(&path, place) {
            Ok(()) => Ok(path),
            Err(Unfit::Absent(error)) => {
                let reason = if error.kind() == io::ErrorKind::NotFound {
                    missing_part(&path)
                } else {
                    error.to_string()
                };
                Err(not_found(match place.directory.filter(|_| !program.starts_with('/')) {
                    Some(directory) => {
                        format!("{reason} (from its working directory, {})", directory.display())
                    }
                    None => reason,
                }))
            }
            Err(Unfit::Present(reason)) => Err(not_executable(reason)),
        };
    }
    let (search, origin) = match environment.get(OsStr::new("PATH")) {
        Some(path) => (path.as_os_str(), "PATH"),
        None => (OsStr::new(DEFAULT_PATH), "the default PATH, as the environment has none:"),
    };
    let (mut unfit, mut closed) = (None, None);
    for directory in std::env::split_paths(search) {
        // An empty element means the working directory.
        let empty = directory.as_os_str().is_empty();
        let directory = if empty { Path::new(".") } else { &directory };
        let path = place.locate(&directory.join(program)).map_err(lost)?;
        match examine(&path, place) {
            // What only we can see, in our own home above all, must not stand before what the child
            // can. But modes do not tell all: if there is nothing else, the system decides.
            Ok(()) if place.obstacle(&path).is_some() => closed = closed.or(Some(path)),
            Ok(()) => return Ok(path),
            Err(Unfit::Present(reason)) => unfit = unfit.or(Some(reason)),
            Err(Unfit::Absent(_)) => {}
        }
    }
    if let Some(path) = closed {
        return Ok(path);
    }
    Err(match unfit {
        Some(reason) => not_executable(reason),
        None => not_found(format!("no such program in {origin} {search:?}")),
    })
}

/// Why a path is not a file that we may execute.
enum Unfit {
    /// Nothing to be seen there.
    Absent(io::Error),
    /// Something else is there.
    Present(String),
}

fn examine(path: &Path, place: Place<'_>) -> Result<(), Unfit> {
    let metadata = fs::metadata(path).map_err(Unfit::Absent)?;
    let shown = path.display();
    if metadata.is_dir() {
        return Err(Unfit::Present(format!("{shown} is a directory")));
    }
    if !metadata.is_file() {
        return Err(Unfit::Present(format!("{shown} is not a regular file")));
    }
    if place.may_execute(path, &metadata) {
        return Ok(());
    }
    let whom = if place.identity.is_some() { "anybody" } else { "us" };
    Err(Unfit::Present(format!("{shown} is not executable for {whom} (permission; chmod +x?)")))
}

/// Says which part of a missing path is missing: often it is a directory.
fn missing_part(path: &Path) -> String {
    if path.is_symlink() {
        return format!("{} is a symbolic link to nowhere", path.display());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory.filter(|directory| !directory.exists()) {
        Some(directory) => format!("no such file: there is no directory {}", directory.display()),
        None => "no such file".to_owned(),
    }
}

/// Explains the refusal of the system to execute `path`, which [`resolve`] had found fit, or of the
/// child to get there.
pub(crate) fn explain(
    program: &str,
    path: &Path,
    place: Place<'_>,
    error: io::Error,
) -> SpawnError {
    match credentials::step(&error) {
        None => {}
        Some((Step::Directory, error)) => return place.closed(program, &error),
        Some((step, error)) => {
            let identity = place.identity.map(ToString::to_string).unwrap_or_default();
            let reason = credentials::refusal(step, &error);
            return SpawnError::Identity { program: program.to_owned(), identity, reason };
        }
    }
    // An error of std's own change of directory looks like one of exec.
    if let Err(error) = place.check_directory(program) {
        return error;
    }
    let shown = path.display();
    let reason = match error.raw_os_error() {
        // The file was there a moment ago: what is missing is the one that must interpret it.
        Some(libc::ENOENT) => match head(path) {
            Head::Script(interpreter) => format!(
                "the interpreter that the first line of {shown} names, {interpreter:?}, does not exist"
            ),
            Head::Elf => format!(
                "{shown} needs a dynamic loader that does not exist (built for another C library?)"
            ),
            Head::Other => format!("{shown} vanished"),
        },
        Some(libc::EACCES) => denied(path, place),
        Some(libc::ENOEXEC) => match head(path) {
            Head::Elf => format!("{shown} is built for another machine"),
            Head::Script(_) | Head::Other => format!(
                "{shown} is neither a program for this machine nor a script that starts with #!"
            ),
        },
        _ => {
            let reason = match error.raw_os_error() {
                Some(libc::E2BIG) => "its arguments and environment are too long together",
                Some(libc::EAGAIN) => "no more processes are allowed",
                Some(libc::ETXTBSY) => "its file is being written",
                None => "an argument or a variable cannot be passed",
                Some(_) => "the system refused",
            };
            return SpawnError::Other { program: program.to_owned(), reason, source: error };
        }
    };
    SpawnError::NotExecutable { program: program.to_owned(), reason }
}

/// Why the permission to execute `path` may be missing.
fn denied(path: &Path, place: Place<'_>) -> String {
    let shown = path.display();
    let head = head(path);
    let interpreter = match &head {
        Head::Script(interpreter) => Some(Path::new(interpreter)),
        Head::Elf | Head::Other => None,
    };
    let obstacle = place.obstacle(path);
    match (obstacle.or_else(|| place.obstacle(interpreter?)), interpreter) {
        (Some(obstacle), _) => obstacle,
        (None, Some(interpreter)) => format!(
            "permission denied for {shown} or for its interpreter, {interpreter:?} (or the file system is mounted noexec)"
        ),
        (None, None) => {
            format!("permission denied for {shown} (or its file system is mounted noexec)")
        }
    }
}

/// What a file is by its first bytes.
enum Head {
    Script(String),
    Elf,
    Other,
}

fn head(path: &Path) -> Head {
    let mut bytes = Vec::new();
    // The kernel, too, looks at 256 bytes and no more.
    if File::open(path).and_then(|file| file.take(256).read_to_end(&mut bytes)).is_err() {
        return Head::Other;
    }
    if bytes.starts_with(b"\x7fELF") {
        return Head::Elf;
    }
    let Some(line) = bytes.strip_prefix(b"#!") else { return Head::Other };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // A carriage return is kept, for it is part of the name that the kernel looks for.
    let name = line.trim_ascii_start().split(|&b| b == b' ' || b == b'\t').next();
    let name = std::ffi::OsStr::from_bytes(name.unwrap_or_default());
    Head::Script(name.to_string_lossy().into_owned())
}
