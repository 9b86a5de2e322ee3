//! The file that tells a process what its watch has seen: what was so when its job was told last,
//! and what is so now.
//!
//! A job that starts because of a watch finds the path of such a file in `CONTAINERPILOT_CHANGE`. It
//! spans everything since the file before, however many changes that were, so whoever applies the
//! difference of each file in turn is always right. A restart is told the same again, up to now. The
//! file is the job's user's alone, and gone when the process is.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use catalog::{Entry, Instance};
use config::{
    Config, Generation,
    job::{JobId, Trigger, WatchEvent},
    watch::{Subject, WatchId},
};
use process::Identity;

use super::watches::{Seen, Watches};
use crate::{
    environment::CHANGE_VARIABLE,
    machine::{Kept, Reason, successor},
};

/// What the jobs of one configuration have been told.
pub(super) struct Changes {
    jobs: Vec<Told>,
    /// Where the files are, while there are any.
    folder: Option<Folder>,
    /// Whether the log has heard that there cannot be one.
    complaint: Option<String>,
}

/// What one job has been told.
#[derive(Default)]
struct Told {
    /// How its present run (or its last one) has begun, if that was a watch's doing.
    run: Option<Start>,
    /// What it was told last.
    last: Vec<(WatchId, Seen)>,
    /// The file of its process.
    file: Option<PathBuf>,
}

/// A start that a watch has brought about.
#[derive(Clone)]
struct Start {
    /// The watch; of several with one name the first.
    source: WatchId,
    event: WatchEvent,
    /// What the job was told of each of its watches before.
    before: Vec<(WatchId, Seen)>,
}

/// A folder of our own.
struct Folder {
    path: PathBuf,
    files: u64,
}

/// One watch in a file.
#[derive(Clone, Copy)]
struct Change<'a> {
    watch: &'a config::Watch,
    before: &'a Seen,
    after: &'a Seen,
}

impl Changes {
    /// Nobody has been told anything.
    pub(super) fn new(config: &Config) -> Changes {
        let jobs = config.jobs.iter().map(|_| Told::default()).collect();
        Changes { jobs, folder: None, complaint: None }
    }

    /// What kept jobs have been told stays told.
    pub(super) fn keep(&mut self, old: &Config, next: &Config, kept: &Kept) {
        let mut before = std::mem::take(&mut self.jobs);
        self.jobs = next.jobs.iter().map(|_| Told::default()).collect();
        let place = |list: Vec<(WatchId, Seen)>| -> Vec<(WatchId, Seen)> {
            let moved = |(id, seen)| Some((same_watch(old, next, id)?, seen));
            list.into_iter().filter_map(moved).collect()
        };
        for (from, to) in kept.pairs() {
            if let (Some(told), Some(job)) = (before.get_mut(from.0), self.jobs.get_mut(to.0)) {
                let Told { run, last, file } = std::mem::take(told);
                *job = Told {
                    run: run.and_then(|Start { source, event, before }| {
                        let source = successor(old, next, source)?;
                        Some(Start { source, event, before: place(before) })
                    }),
                    last: place(last),
                    file,
                };
            }
        }
    }

    /// A job's process is about to start: the file that it finds, if there is something to tell.
    pub(super) fn tell(
        &mut self,
        job: JobId,
        reason: Reason,
        config: &Config,
        watches: &Watches,
        owner: Option<&Identity>,
    ) -> Option<PathBuf> {
        let start = self.start(job, reason, config, watches)?;
        let told = self.jobs.get_mut(job.0)?;
        let mut changes = Vec::new();
        let mut last = Vec::new();
        for (id, before) in &start.before {
            let (Some(watch), Some(after)) = (config.watches.get(id.0), watches.seen(*id)) else {
                continue;
            };
            last.push((*id, after.clone()));
            let change = Change { watch, before, after };
            changes.push((first_of(config, *id) != start.source, change));
        }
        told.run = Some(start.clone());
        // Watches of one name are one source; the one that has changed stands first.
        let rank = |(other, change): &(bool, Change<'_>)| (*other, change.before == change.after);
        let first = changes.iter().enumerate().min_by_key(|(_, change)| rank(change))?.0;
        let (_, first) = changes.remove(first);
        let ranks = [(false, false), (true, false)];
        let of = |wanted| changes.iter().filter(move |change| rank(change) == wanted);
        let others: Vec<Change<'_>> =
            ranks.into_iter().flat_map(of).map(|(_, change)| *change).collect();
        let written = Folder::ready(&mut self.folder).and_then(|folder| {
            folder.files += 1;
            let path = folder.path.join(format!("{}.json", folder.files));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            told.file = Some(path.clone());
            write(&file, start.event, &first, &others)?;
            if let Some(owner) = owner {
                fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
            }
            Ok(path)
        });
        match written {
            Ok(path) => {
                told.last = last;
                Some(path)
            }
            // Nothing was told: what it says comes with the next one.
            Err(error) => {
                self.ended(job);
                let complaint = error.to_string();
                if self.complaint.as_ref() != Some(&complaint) {
                    log::warn!(
                        "jobs start without {CHANGE_VARIABLE}: its file cannot be written: {error}"
                    );
                    self.complaint = Some(complaint);
                }
                None
            }
        }
    }

    /// How the start comes about; `None`: no watch has to do with it.
    fn start(
        &mut self,
        job: JobId,
        reason: Reason,
        config: &Config,
        watches: &Watches,
    ) -> Option<Start> {
        let told = self.jobs.get_mut(job.0)?;
        match reason {
            Reason::Watch(source, event) => {
                let known = |id: WatchId| {
                    let watch = config.watches.get(id.0)?;
                    watches.seen(id)?;
                    let known = told.last.iter().find(|(other, _)| *other == id);
                    Some(match known {
                        Some(known) => known.clone(),
                        None => (id, Seen::nothing(&watch.subject)),
                    })
                };
                let before = watches_of(config, job).filter_map(known).collect();
                Some(Start { source, event, before })
            }
            Reason::Restart => told.run.clone(),
            Reason::Other => {
                told.run = None;
                None
            }
        }
    }

    /// A job's process has ended.
    pub(super) fn ended(&mut self, job: JobId) {
        if let Some(path) = self.jobs.get_mut(job.0).and_then(|told| told.file.take()) {
            // What somebody else has removed is gone, too.
            let _ = fs::remove_file(path);
            // So that nothing stays behind should we be killed.
            if self.jobs.iter().all(|told| told.file.is_none()) {
                self.tidy();
            }
        }
    }

    fn tidy(&mut self) {
        if let Some(folder) = self.folder.take() {
            let _ = fs::remove_dir(folder.path);
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        for path in self.jobs.iter().filter_map(|told| told.file.as_ref()) {
            let _ = fs::remove_file(path);
        }
        self.tidy();
    }
}

impl Folder {
    /// The folder, made if there is none yet. Others may pass through it, but neither look nor
    /// write: its files have owners.
    fn ready(folder: &mut Option<Folder>) -> io::Result<&mut Folder> {
        let made = match folder.take() {
            Some(made) if made.path.is_dir() => made,
            _ => Folder::make()?,
        };
        Ok(folder.insert(made))
    }

    fn make() -> io::Result<Folder> {
        Folder::below(&[Path::new("/run"), &std::env::temp_dir()])
    }

    /// In the first of these where that can be done. The error, which is that of the last one, is
    /// the same each time.
    fn below(parents: &[&Path]) -> io::Result<Folder> {
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("containerpilot-{}-{:x}", std::process::id(), moment.as_nanos());
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for parent in parents {
            let path = parent.join(&name);
            let made = DirBuilder::new().mode(0o700).create(&path).and_then(|()| {
                // Whatever our umask is: jobs of other users pass through it.
                fs::set_permissions(&path, Permissions::from_mode(0o711))
            });
            match made {
                Ok(()) => return Ok(Folder { path, files: 0 }),
                Err(error) => {
                    let text = format!("in {}: {error}", parent.display());
                    failure = io::Error::new(error.kind(), text);
                }
            }
        }
        Err(failure)
    }
}

/// The watches whose events a job waits for.
fn watches_of(config: &Config, job: JobId) -> impl Iterator<Item = WatchId> {
    let triggers = config.jobs.get(job.0).into_iter().flat_map(|job| job.when.triggers());
    let sources: Vec<WatchId> = triggers
        .filter_map(|trigger| match trigger {
            Trigger::Watch(id, _) => Some(id),
            _ => None,
        })
        .collect();
    let all = (0..config.watches.len()).map(WatchId);
    all.filter(move |id| sources.contains(&first_of(config, *id)))
}

/// In 3.x, watches of one name (a service's tags, say) are one source of events: the first of
/// them. In 2.x each has a command of its own.
pub(super) fn first_of(config: &Config, id: WatchId) -> WatchId {
    match config.watches.get(id.0) {
        Some(watch) if config.generation == Generation::V3 => first_of_name(config, &watch.name),
        _ => id,
    }
}

fn first_of_name(config: &Config, name: &str) -> WatchId {
    WatchId(config.watches.iter().position(|watch| watch.name == name).unwrap_or_default())
}

/// The watch of the next configuration that looks at the same.
fn same_watch(old: &Config, next: &Config, id: WatchId) -> Option<WatchId> {
    let known = old.watches.get(id.0)?;
    let same = |other: &config::Watch| {
        (&other.name, &other.subject, &other.datacenter)
            == (&known.name, &known.subject, &known.datacenter)
    };
    next.watches.iter().position(same).map(WatchId)
}

fn write(
    file: &File,
    event: WatchEvent,
    change: &Change<'_>,
    others: &[Change<'_>],
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let event = match event {
        WatchEvent::Changed => "changed",
        WatchEvent::Healthy => "healthy",
        WatchEvent::Unhealthy => "unhealthy",
    };
    write!(out, "{{\"event\":\"{event}\",")?;
    change.write(&mut out)?;
    for (index, other) in others.iter().enumerate() {
        out.write_all(if index == 0 { b",\"also\":[{" } else { b"},{" })?;
        other.write(&mut out)?;
    }
    out.write_all(if others.is_empty() { b"}\n" } else { b"}]}\n" })?;
    out.flush()
}

impl Change<'_> {
    /// The members of an object, without its braces.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (name, what, tag) = match &self.watch.subject {
            Subject::Service(query) => ("service", &query.service, query.tag.as_ref()),
            Subject::Key(key) => ("key", key, None),
            Subject::Keys(prefix) => ("keyPrefix", prefix, None),
        };
        member(out, "", "watch", &self.watch.name)?;
        member(out, ",", name, what)?;
        for (name, value) in [("tag", tag), ("dc", self.watch.datacenter.as_ref())] {
            if let Some(value) = value {
                member(out, ",", name, value)?;
            }
        }
        out.write_all(b",\"before\":")?;
        list(out, self.before)?;
        out.write_all(b",\"after\":")?;
        list(out, self.after)
    }
}

fn list(out: &mut dyn Write, seen: &Seen) -> io::Result<()> {
    out.write_all(b"[")?;
    match seen {
        Seen::Instances(instances) => {
            for (index, instance) in instances.iter().enumerate() {
                out.write_all(separator(index).as_bytes())?;
                write_instance(out, instance)?;
            }
        }
        Seen::Entries(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                out.write_all(separator(index).as_bytes())?;
                write_entry(out, entry)?;
            }
        }
    }
    out.write_all(b"]")
}

fn separator(index: usize) -> &'static str {
    if index == 0 { "\n" } else { ",\n" }
}

fn write_instance(out: &mut dyn Write, instance: &Instance) -> io::Result<()> {
    let Instance { id, name, address, port, tags, meta, node } = instance;
    member(out, "{", "id", id)?;
    member(out, ",", "name", name)?;
    member(out, ",", "address", address)?;
    write!(out, ",\"port\":{port},\"tags\":[")?;
    for (index, tag) in tags.iter().enumerate() {
        out.write_all(if index == 0 { b"" } else { b"," })?;
        text(out, tag)?;
    }
    out.write_all(b"],\"meta\":{")?;
    for (index, (name, value)) in meta.iter().enumerate() {
        member(out, if index == 0 { "" } else { "," }, name, value)?;
    }
    out.write_all(b"}")?;
    member(out, ",", "node", node)?;
    out.write_all(b"}")
}

fn write_entry(out: &mut dyn Write, entry: &Entry) -> io::Result<()> {
    member(out, "{", "key", &entry.key)?;
    match std::str::from_utf8(&entry.value) {
        Ok(value) => member(out, ",", "value", value)?,
        Err(_) => member(out, ",", "value64", &catalog::base64::encode(&entry.value))?,
    }
    out.write_all(b"}")
}

fn member(out: &mut dyn Write, before: &str, name: &str, value: &str) -> io::Result<()> {
    out.write_all(before.as_bytes())?;
    text(out, name)?;
    out.write_all(b":")?;
    text(out, value)
}

fn text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// Puts the path into the environment of one process.
pub(super) fn variable(path: &Path) -> (std::ffi::OsString, std::ffi::OsString) {
    (CHANGE_VARIABLE.into(), path.into())
}

#[cfg(test)]
mod tests;
