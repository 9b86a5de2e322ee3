//! Ends a program and what it left behind.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills `root` (none if it has been reaped: its id may be another's), its descendants, and every process whose working folder is `folder` or below:
/// orphans keep it although their parent has changed. Best effort.
pub(crate) fn kill_tree(root: Option<u32>, folder: &Path) {
    // Twice: a process may have forked while the first list was made.
    for _ in 0..2 {
        for pid in members(root, folder) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn members(root: Option<u32>, folder: &Path) -> Vec<i32> {
    let own = std::process::id() as i32;
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let mut found: Vec<i32> = root.map(|pid| pid as i32).into_iter().collect();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
        if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)) {
            found.push(pid);
        }
    }
    let mut next = 0;
    while next < found.len() {
        let pid = found[next];
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found.retain(|pid| *pid != own);
    found
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so the fields are counted from its end.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
