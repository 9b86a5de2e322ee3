//! The whole crate but its thread, in virtual time, on a registry in memory and real files.

mod checking;
mod histories;
mod outages;
mod passes;
mod shrinking;
mod writing;

use std::{collections::BTreeMap, fs, path::PathBuf};

use catalog::{
    Registration, Status,
    memory::{Memory, Mood},
};
use tempfile::TempDir;
use tokio::time::timeout_at;

use super::*;
use crate::{Destination, Outcome, Source, Target, Wait, workshop::Workshop};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

const DB: &str = r#"{{range service "db"}}{{.Address}}:{{.Port}}
{{end}}"#;

/// A workshop in the same thread: no time passes while it works.
struct Inline {
    workshop: Workshop,
    report: Option<Report>,
    /// What a pass is said to take.
    takes: Duration,
}

impl Worker for Inline {
    fn begin(&mut self, order: Order) {
        assert!(self.report.is_none(), "one order at a time");
        let mut report = self.workshop.perform(order);
        if let Report::Pass(pass) = &mut report {
            pass.took = self.takes;
        }
        self.report = Some(report);
    }

    async fn report(&mut self) -> Report {
        match self.report.take() {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    fn finish(&mut self) -> Option<Report> {
        self.report.take()
    }
}

/// A registry, a folder and templates that write there.
struct Stage {
    memory: Arc<Memory>,
    folder: TempDir,
    conductor: Conductor<Inline>,
}

impl Stage {
    fn new(memory: Memory, templates: impl FnOnce(&TempDir) -> Vec<Template>) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let templates = templates(&folder);
        let environment = Arc::new(BTreeMap::new());
        let workshop = Workshop::open(&templates, &environment).unwrap();
        let memory = Arc::new(memory);
        let worker = Inline { workshop, report: None, takes: Duration::ZERO };
        let conductor = Conductor::new(Arc::clone(&memory) as Arc<dyn Catalog>, &templates, worker);
        Stage { memory, folder, conductor }
    }

    /// One template that writes `file`.
    fn of(memory: Memory, text: &str, change: impl FnOnce(&mut Template)) -> Stage {
        Stage::new(memory, |folder| {
            let mut template = template(folder, "file", text);
            change(&mut template);
            vec![template]
        })
    }

    /// What is told while so much time passes.
    async fn pass(&mut self, time: Duration) -> Vec<Event> {
        let until = Instant::now() + time;
        let mut events = Vec::new();
        while let Ok(event) = timeout_at(until, self.conductor.next()).await {
            events.push(event);
        }
        events
    }

    /// What is told at once, and in the time that a registry takes.
    async fn now(&mut self) -> Vec<Event> {
        self.pass(MOMENT).await
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_else(|error| error.to_string())
    }

    fn waiting(&self) -> Vec<String> {
        self.conductor.waiting().into_iter().map(|(_, words)| words).collect()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn template(folder: &TempDir, name: &str, text: &str) -> Template {
    Template {
        name: name.to_owned(),
        source: Source::Text(text.to_owned()),
        destination: Destination::File(Target {
            path: folder.path().join(name),
            mode: None,
            user: None,
            group: None,
            backup: false,
            create_folders: false,
        }),
        wait: None,
        checked: false,
        minimum: BTreeMap::new(),
        shrink_after: Duration::ZERO,
        left_delimiter: String::new(),
        right_delimiter: String::new(),
        error_on_missing_key: false,
        denied: Vec::new(),
    }
}

/// A passing instance; its id is its name and number, and so is its address.
fn put(memory: &Memory, service: &str, number: u8) {
    put_as(memory, service, number, Status::Passing);
}

fn put_as(memory: &Memory, service: &str, number: u8, status: Status) {
    let registration = Registration {
        id: id(service, number),
        name: service.to_owned(),
        check_id: String::new(),
        address: format!("10.0.0.{number}"),
        port: 80,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: Duration::from_secs(1_000_000),
        enable_tag_override: false,
        deregister_critical_after: None,
    };
    memory.put(registration, status);
}

fn id(service: &str, number: u8) -> String {
    format!("{service}-{number}")
}

fn memory(services: &[(&str, u8)]) -> Memory {
    let memory = Memory::new();
    for (service, number) in services {
        put(&memory, service, *number);
    }
    memory
}

fn replaced() -> Vec<Event> {
    vec![Event::Rendered(TemplateId(0), Outcome::Replaced)]
}

fn unchanged() -> Vec<Event> {
    vec![Event::Rendered(TemplateId(0), Outcome::Unchanged)]
}

fn failed(reason: &str) -> Vec<Event> {
    vec![Event::Failed(TemplateId(0), reason.to_owned())]
}

fn down() -> Mood {
    Mood::Failing(catalog::Error::Unreachable("connection refused".to_owned()))
}
