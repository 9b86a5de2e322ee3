//! Where and as whom a child starts, as far as that decides what it may execute.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{self, Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::{Identity, SpawnError};

/// Where and as whom, if that is not where and as whom we are.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) directory: Option<&'a Path>,
    pub(crate) identity: Option<&'a Identity>,
}

impl Place<'_> {
    /// Finds out whether the directory can be entered, as far as we can see.
    pub(crate) fn check_directory(self, program: &str) -> Result<(), SpawnError> {
        let Some(directory) = self.directory else { return Ok(()) };
        let shown = directory.display();
        let reason = match fs::metadata(directory) {
            Ok(metadata) if !metadata.is_dir() => format!("{shown} is not a directory"),
            // Whether somebody else may enter it turns out in the child.
            Ok(_) if self.identity.is_some() || access(directory, AccessFlags::X_OK).is_ok() => {
                return Ok(());
            }
            Ok(_) => format!("{shown} is closed to us (permission)"),
            Err(error) if error.kind() == ErrorKind::NotFound => format!("{shown} does not exist"),
            // Where we may not look another one may.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied && self.identity.is_some() =>
            {
                return Ok(());
            }
            Err(error) => format!("{shown} cannot be entered: {error}"),
        };
        Err(SpawnError::Directory { program: program.to_owned(), reason })
    }

    /// The refusal of the child to enter its directory.
    pub(crate) fn closed(self, program: &str, error: &io::Error) -> SpawnError {
        let directory = self.directory.unwrap_or(Path::new("."));
        let shown = directory.display();
        let reason = match self.identity.and_then(|identity| obstacle(directory, identity)) {
            Some(obstacle) => format!("{shown} cannot be entered: {obstacle}"),
            None => format!("{shown} cannot be entered: {error}"),
        };
        SpawnError::Directory { program: program.to_owned(), reason }
    }

    /// A path as the child sees it, for us; absolute unless the child starts where we are.
    ///
    /// # Errors
    /// If we do not know where we are.
    pub(crate) fn locate(self, path: &Path) -> io::Result<PathBuf> {
        match self.directory {
            Some(directory) if path.is_relative() => Ok(path::absolute(directory)?.join(path)),
            _ => Ok(path.to_owned()),
        }
    }

    /// Whether the file with this metadata looks executable for the child.
    pub(crate) fn may_execute(self, path: &Path, metadata: &Metadata) -> bool {
        match self.identity {
            None => access(path, AccessFlags::X_OK).is_ok(),
            // Access lists may allow more than the mode says and forbid what it allows, so that only
            // the system knows. We ask it for what nobody may.
            Some(_) => metadata.mode() & 0o111 != 0,
        }
    }

    /// Why the child may not execute a path, if the modes on the way there tell.
    pub(crate) fn obstacle(self, path: &Path) -> Option<String> {
        obstacle(path, self.identity?)
    }
}

/// The first part of a path that `identity` may not pass or execute by its mode, in words.
fn obstacle(path: &Path, identity: &Identity) -> Option<String> {
    let path = path::absolute(path).ok()?;
    // Links on the way lead through other directories.
    let behind_links = fs::canonicalize(&path).unwrap_or_default();
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    let mut real: Vec<&Path> = behind_links.ancestors().collect();
    real.reverse();
    ancestors.into_iter().chain(real).find_map(|part| {
        let metadata = fs::metadata(part).ok()?;
        if may(identity, &metadata) {
            return None;
        }
        let what = if metadata.is_dir() { "is closed to" } else { "is not executable for" };
        let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        let part = part.display();
        Some(format!("{part} {what} {identity}: mode {mode:04o}, owner {uid}:{gid}"))
    })
}

/// Whether the mode lets `identity` execute the file or pass the directory.
fn may(identity: &Identity, metadata: &Metadata) -> bool {
    let bits = if identity.uid() == 0 {
        // Root passes everywhere, and executes what anybody may execute.
        if metadata.is_dir() { return true } else { 0o111 }
    } else if identity.uid() == metadata.uid() {
        0o100
    } else if identity.groups().contains(&metadata.gid()) {
        0o010
    } else {
        0o001
    };
    metadata.mode() & bits != 0
}
