//! Finding the file to execute, and explaining why it cannot be.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::SpawnError;

/// Where to look if the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file to execute for `program`: itself if it has a slash, else the first executable file of
/// that name in the directories of `PATH`, as a shell would find it.
pub(crate) fn resolve(
    program: &str,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<PathBuf, SpawnError> {
    let not_found = |reason| SpawnError::NotFound { program: program.to_owned(), reason };
    let not_executable = |reason| SpawnError::NotExecutable { program: program.to_owned(), reason };
    if program.is_empty() {
        return Err(not_found("the program's name is empty".to_owned()));
    }
    if program.contains('/') {
        let path = PathBuf::from(program);
        return match examine(&path) {
            Ok(()) => Ok(path),
            Err(Unfit::Absent(error)) => {
                Err(not_found(if error.kind() == io::ErrorKind::NotFound {
                    missing_part(&path)
                } else {
                    error.to_string()
                }))
            }
            Err(Unfit::Present(reason)) => Err(not_executable(reason)),
        };
    }
    let (search, origin) = match environment.get(OsStr::new("PATH")) {
        Some(path) => (path.as_os_str(), "PATH"),
        None => (OsStr::new(DEFAULT_PATH), "the default PATH, as the environment has none:"),
    };
    let mut unfit = None;
    for directory in std::env::split_paths(search) {
        // An empty element means the working directory.
        let empty = directory.as_os_str().is_empty();
        let directory = if empty { Path::new(".") } else { &directory };
        let path = directory.join(program);
        match examine(&path) {
            Ok(()) => return Ok(path),
            Err(Unfit::Present(reason)) => unfit = unfit.or(Some(reason)),
            Err(Unfit::Absent(_)) => {}
        }
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

fn examine(path: &Path) -> Result<(), Unfit> {
    let metadata = fs::metadata(path).map_err(Unfit::Absent)?;
    let shown = path.display();
    if metadata.is_dir() {
        return Err(Unfit::Present(format!("{shown} is a directory")));
    }
    if !metadata.is_file() {
        return Err(Unfit::Present(format!("{shown} is not a regular file")));
    }
    access(path, AccessFlags::X_OK).map_err(|_| {
        Unfit::Present(format!("{shown} is not executable for us (permission; chmod +x?)"))
    })
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

/// Explains the refusal of the system to execute `path`, which [`resolve`] had found fit.
pub(crate) fn explain(program: &str, path: &Path, error: io::Error) -> SpawnError {
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
        Some(libc::EACCES) => match head(path) {
            Head::Script(interpreter) => format!(
                "permission denied for {shown} or for its interpreter, {interpreter:?} (or the file system is mounted noexec)"
            ),
            Head::Elf | Head::Other => {
                format!("permission denied for {shown} (or its file system is mounted noexec)")
            }
        },
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
