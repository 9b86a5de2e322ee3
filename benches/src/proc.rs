//! What the kernel tells about processes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// All processes below `root`, without it.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, field(pid, 4)?.parse().ok()?)))
        .collect();
    let mut found = Vec::new();
    let mut parent = Some(root);
    let mut next = 0;
    while let Some(current) = parent {
        found.extend(parents.iter().filter(|(_, parent)| *parent == current).map(|(pid, _)| *pid));
        parent = found.get(next).copied();
        next += 1;
    }
    found
}

/// The file that a process executes; `None` if it is gone.
pub(crate) fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Resident memory in bytes, all of it: program text that others map too, and its own pages.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).context(path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 =
        kilobytes.with_context(|| format!("no VmRSS in {path}"))?.trim().parse()?;
    Ok(kilobytes * 1024.0)
}

/// Seconds that a process and its threads have spent on a CPU, without its children.
pub(crate) fn cpu(pid: u32) -> Result<f64> {
    seconds(pid, [14, 15])
}

/// The same of those of its children that have ended and been waited for.
pub(crate) fn cpu_of_children(pid: u32) -> Result<f64> {
    seconds(pid, [16, 17])
}

/// The sum of fields that count clock ticks.
fn seconds(pid: u32, fields: [usize; 2]) -> Result<f64> {
    let ticks = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")? as f64;
    let spent = |number| -> Result<f64> {
        Ok(field(pid, number).with_context(|| format!("process {pid} is gone"))?.parse()?)
    };
    fields.into_iter().map(spent).sum::<Result<f64>>().map(|sum| sum / ticks)
}

/// A field of `/proc/PID/stat` by its number in proc(5), from the third on.
fn field(pid: u32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything.
    let rest = stat.rsplit_once(')')?.1;
    rest.split_whitespace().nth(number.checked_sub(3)?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_process() {
        let own = std::process::id();
        assert_eq!(executable(own), std::env::current_exe().ok());
        assert!(resident(own).unwrap() > 500e3);
        let before = cpu(own).unwrap();
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 60 {}
        assert!(cpu(own).unwrap() > before);
        assert!(descendants(field(own, 4).unwrap().parse().unwrap()).contains(&own));
    }
}
