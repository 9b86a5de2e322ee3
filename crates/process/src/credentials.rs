//! Becoming somebody else: what a child does between fork and exec.
//!
//! std would set a user and a group, but no supplementary groups, and it enters the working
//! directory before that, with our privileges. So it is done here, in the child, after it has got
//! its streams and its process group.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;

use crate::Identity;

/// An error of the child's reaches us as a number alone, so the step is part of it, above all error
/// numbers.
const STEP_SHIFT: u32 = 16;

/// What failed. 0 is what std does itself, exec above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Groups = 1,
    Gid = 2,
    Uid = 3,
    Directory = 4,
}

/// Lets the command run as `identity`, in `directory`, which that user must be allowed to enter.
///
/// # Errors
/// If the directory's name holds a zero.
#[expect(unsafe_code, reason = "there is no other way to run code between fork and exec")]
pub(crate) fn assume(
    command: &mut Command,
    identity: &Identity,
    directory: Option<&Path>,
) -> io::Result<()> {
    let (uid, gid, groups) = (identity.uid(), identity.gid(), identity.groups().to_vec());
    let directory = directory.map(|path| CString::new(path.as_os_str().as_bytes())).transpose()?;
    let child = move || {
        // SAFETY: each call gets what it wants: a list with its length, ids, a string with its end.
        // They are system calls, and glibc's wrappers of the first three, which have all threads
        // change, find a single one here.
        unsafe {
            // The ids last: without the user's privileges nothing else could be changed.
            check(Step::Groups, libc::setgroups(groups.len(), groups.as_ptr()))?;
            check(Step::Gid, libc::setresgid(gid, gid, gid))?;
            check(Step::Uid, libc::setresuid(uid, uid, uid))?;
            // Only a change from root takes capabilities away by itself. Those that we may have
            // without being root must not let the child become anybody it likes. Before Linux 4.3
            // there are none, and the call fails.
            let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL;
            libc::prctl(libc::PR_CAP_AMBIENT, clear, 0, 0, 0);
            if let Some(directory) = &directory {
                check(Step::Directory, libc::chdir(directory.as_ptr()))?;
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls and nothing else: it takes no lock and no memory, which
    // another thread may have held at the time of the fork. Not even its drop runs in the child.
    unsafe { command.pre_exec(child) };
    Ok(())
}

/// The error of a step, if it is one.
fn check(step: Step, result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(Errno::last_raw() | (step as i32) << STEP_SHIFT))
}

/// The step at which a start failed, and what the system said; `None`: at none of ours.
pub(crate) fn step(error: &io::Error) -> Option<(Step, io::Error)> {
    let code = error.raw_os_error()?;
    let step = match code >> STEP_SHIFT {
        1 => Step::Groups,
        2 => Step::Gid,
        3 => Step::Uid,
        4 => Step::Directory,
        _ => return None,
    };
    Some((step, io::Error::from_raw_os_error(code & ((1 << STEP_SHIFT) - 1))))
}

/// Why the child could not become somebody else.
pub(crate) fn refusal(step: Step, error: &io::Error) -> String {
    let (what, capability) = match step {
        Step::Groups => ("its supplementary groups", "CAP_SETGID"),
        Step::Gid => ("its group", "CAP_SETGID"),
        Step::Uid | Step::Directory => ("its user", "CAP_SETUID"),
    };
    let why = match error.raw_os_error() {
        Some(libc::EPERM) => {
            let uid = nix::unistd::geteuid().as_raw();
            if uid == 0 {
                format!("we are root, but without the capability {capability}")
            } else {
                format!("we run as uid {uid}, and only root may do that")
            }
        }
        Some(libc::EINVAL) => {
            "the id does not exist here (the container's user namespace has no such id, or the \
             groups are too many)"
                .to_owned()
        }
        _ => error.to_string(),
    };
    format!("{what} cannot be set: {why}")
}
