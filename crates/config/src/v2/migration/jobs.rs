//! The jobs of a migrated file, and what goes with them.

use super::{
    document::{Object, Out},
    is_empty, scalar,
    spelling::{DRAIN, HEALTH},
    template::has_actions,
    tree::{LEAF, Tree, items, literal, member},
};
use crate::{
    decode::{
        control,
        name::{self, Names, is_service_name},
    },
    job::KillAfter,
    json5::{Node, Value},
    v2::file::{Backend, File},
};

/// What a sensor and a metric have in common.
const METRIC: [&str; 8] =
    ["namespace", "subsystem", "name", "help", "type", "buckets", "quantiles", "maxAge"];

/// Writes one job after the other.
pub(super) struct Writer<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) root: &'a Node,
    pub(super) file: &'a File,
    /// The application's words, quoted; empty without one.
    words: Vec<String>,
    taken: Names,
    names: FixedNames,
    pub(super) warnings: Vec<String>,
    pub(super) jobs: Vec<Out>,
    pub(super) watches: Vec<Out>,
    pub(super) telemetry: Option<Out>,
}

/// Names that jobs are referred to by, as they are written.
struct FixedNames {
    pre_start: Option<String>,
    pre_stop: Option<String>,
    post_stop: Option<String>,
    application: Option<String>,
    services: Vec<String>,
    coprocesses: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(tree: Tree<'a>, root: &'a Node, file: &'a File, words: Vec<String>) -> Self {
        let mut taken = Names::default();
        // These mean something else where a job's name is wanted.
        ["global", "SIGHUP", "SIGUSR2"].iter().for_each(|name| _ = taken.take(name));
        for advertised in &file.services {
            taken.take(&advertised.service.name);
        }
        let mut hook =
            |name: &str, exists: bool| exists.then(|| scalar(literal(&unique(&mut taken, name))));
        let has_end = !words.is_empty() || !file.coprocesses.is_empty();
        let mut names = FixedNames {
            pre_start: hook("preStart", file.pre_start.is_some()),
            pre_stop: hook("preStop", file.pre_stop.is_some()),
            post_stop: hook("postStop", file.post_stop.is_some() && has_end),
            // So that the variable with its pid has the same name.
            application: hook("app", !words.is_empty()),
            services: Vec::new(),
            coprocesses: Vec::new(),
        };
        for node in items(root, "services") {
            names.services.extend(tree.take(node, "name", &LEAF).map(scalar));
        }
        for (node, coprocess) in items(root, "coprocesses").into_iter().zip(&file.coprocesses) {
            names.coprocesses.push(written_name(&tree, node, &coprocess.name, &mut taken));
        }
        let (warnings, jobs, watches) = (Vec::new(), Vec::new(), Vec::new());
        Self { tree, root, file, words, taken, names, warnings, jobs, watches, telemetry: None }
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// All of them, in the order in which they start.
    pub(super) fn jobs(&mut self) {
        if let Some(name) = self.names.pre_start.clone() {
            let key = if member(self.root, "preStart").is_some() { "preStart" } else { "onStart" };
            let mut job = self.job(&name, self.root, key);
            job.comment(
                "Its failure ends the program, with its code. What follows waits for its success.",
            );
            job.set("essential", literal("onFailure"));
            self.push(job);
        }
        self.coprocesses();
        self.services();
        for (node, task) in items(self.root, "tasks").into_iter().zip(&self.file.tasks) {
            let name = written_name(&self.tree, node, &task.name, &mut self.taken);
            let mut job = self.job(&name, node, "command");
            job.set("when", self.every(node, "frequency"));
            job.set_some("timeout", self.timeout(node));
            self.push(job);
        }
        self.sensors();
        self.backends();
        self.end();
    }

    fn push(&mut self, job: Object) {
        self.jobs.push(Out::Object(job));
    }

    /// A job with the command that `node` has under `key`.
    fn job(&self, name: &str, node: &Node, key: &str) -> Object {
        let mut job = Object::default();
        job.set("name", Out::Scalar(name.into()));
        job.set_some("exec", self.tree.take(node, key, &LEAF));
        job
    }

    fn timeout(&self, node: &Node) -> Option<Out> {
        let node = member(node, "timeout").filter(|node| !is_empty(node))?;
        Some(self.tree.copy(node, &LEAF))
    }

    /// `when` of what waits for `preStart`.
    fn after_start(&self) -> Option<Out> {
        let name = self.names.pre_start.as_ref()?;
        Some(event(name, "once", "exitSuccess"))
    }

    /// `when` of what runs on a period that is found under `key`.
    fn every(&self, node: &Node, key: &str) -> Out {
        let mut when = Object::default();
        when.set_some("interval", self.tree.take(node, key, &LEAF));
        when.set_some("after", self.after_start());
        Out::Object(when)
    }

    fn coprocesses(&mut self) {
        let names = &self.names;
        let application = names.application.iter();
        let (services, post_stop) = match names.application {
            // The application itself stops after them.
            Some(_) => (&[][..], names.post_stop.as_ref()),
            None => (names.services.as_slice(), None),
        };
        let before = services.iter().chain(application).chain(&names.pre_stop).chain(post_stop);
        let before: Vec<String> = before.cloned().collect();
        for (index, node) in items(self.root, "coprocesses").into_iter().enumerate() {
            let Some(name) = self.names.coprocesses.get(index) else { continue };
            let mut job = self.job(name, node, "command");
            if index == 0 {
                job.comment("Coprocesses are the last to go: others may need them to stop.");
            }
            job.set_some("restarts", self.tree.take(node, "restarts", &LEAF));
            job.set_some("when", self.after_start());
            job.set_some("stopAfter", list(&before));
            self.push(job);
        }
    }

    fn services(&mut self) {
        for (node, advertised) in items(self.root, "services").into_iter().zip(&self.file.services)
        {
            let service = &advertised.service;
            if !is_service_name(&service.name) {
                self.warn(format!(
                    "the service {:?} needs another name, here and where it is looked up: {}",
                    service.name,
                    name::RULE
                ));
            }
            let mut job = Object::default();
            job.set_some("name", self.tree.take(node, "name", &LEAF));
            match self.tree.take(node, "port", &LEAF) {
                Some(port) => job.set("port", port),
                None => {
                    job.set("port", Out::Scalar("0".into()));
                    job.explain("It has none, and is advertised nevertheless.");
                }
            }
            for key in ["tags", "meta", "interfaces"] {
                job.set_some(key, self.tree.take(node, key, &LEAF));
            }
            if let Some(extras) = member(node, "consul") {
                // Of etcd this generation ignores the one, and the other refuses it.
                let keys = match self.file.registry.is_etcd() {
                    true => &["enableTagOverride"][..],
                    false => &["enableTagOverride", "deregisterCriticalServiceAfter"],
                };
                let mut object = Object::default();
                for key in keys {
                    object.set_some(key, self.tree.take(extras, key, &LEAF));
                }
                job.set("consul", Out::Object(object));
            }
            if advertised.drain.is_some() {
                job.set_some("drain", self.tree.take(node, "drain", &DRAIN));
            }
            job.set_some("when", self.after_start());
            job.set("health", self.health(node, advertised.health.command().is_some()));
            self.push(job);
        }
    }

    fn health(&self, node: &Node, has_command: bool) -> Out {
        let mut health = Object::default();
        match self.tree.take(node, "health", &HEALTH) {
            Some(Out::Object(check)) => health = check,
            Some(command) => health.set("exec", command),
            None => {}
        }
        health.set_some("interval", self.tree.take(node, "poll", &LEAF));
        health.set_some("ttl", self.tree.take(node, "ttl", &LEAF));
        match self.timeout(node) {
            Some(timeout) => health.set("timeout", timeout),
            None if has_command => {
                health.set_some("timeout", self.tree.take(node, "ttl", &LEAF));
                health.explain(
                    "There was none. A check that takes longer than this comes too late anyway.",
                );
            }
            None => {}
        }
        Out::Object(health)
    }

    /// `telemetry`, and a job for each sensor.
    fn sensors(&mut self) {
        let Some(node) = member(self.root, "telemetry") else { return };
        let mut telemetry = Object::default();
        for key in ["port", "interfaces", "tags"] {
            telemetry.set_some(key, self.tree.take(node, key, &LEAF));
        }
        let names = self.file.telemetry.iter().flat_map(|telemetry| &telemetry.metrics);
        let (mut metrics, mut no_timeout) = (Vec::new(), false);
        for (index, (sensor, metric)) in items(node, "sensors").into_iter().zip(names).enumerate() {
            let mut object = Object::default();
            for key in METRIC {
                object.set_some(key, self.tree.take(sensor, key, &LEAF));
            }
            metrics.push(Out::Object(object));
            let name = scalar(literal(&unique(&mut self.taken, &metric.name)));
            let mut job = Object::default();
            if index == 0 {
                job.comment("Were sensors: they post what their checks print. This needs a shell in the image.");
            }
            job.set("name", Out::Scalar(name));
            job.set("exec", self.sensor_command(sensor, &metric.name));
            job.set("when", self.every(sensor, "poll"));
            job.set_some("timeout", self.timeout(sensor));
            no_timeout |= self.timeout(sensor).is_none();
            self.push(job);
        }
        if !metrics.is_empty() {
            telemetry.set("metrics", Out::List(metrics));
        }
        if no_timeout {
            self.warn(
                "the check of a sensor without a timeout is killed when its interval is over",
            );
        }
        self.telemetry = Some(Out::Object(telemetry));
    }

    /// How a command of the new file finds the control socket: by its path, for `-config` is not
    /// known to it. A path that a shell could take for more is left to the variable
    /// `CONTAINERPILOT`.
    fn socket_option(&self) -> String {
        let plain =
            |char: char| char.is_ascii_alphanumeric() || matches!(char, '/' | '.' | '_' | '-');
        let control = member(self.root, "control").and_then(|control| member(control, "socket"));
        let path = match control.map(|node| &node.value) {
            Some(Value::String(path)) if !path.is_empty() => path.as_str(),
            _ => control::SOCKET,
        };
        if path.chars().all(plain) { format!(" -socket {path}") } else { String::new() }
    }

    /// A shell that runs the sensor's check and posts what it prints.
    fn sensor_command(&self, sensor: &Node, metric: &str) -> Out {
        let shell = |run: &str| {
            let script = format!(
                "value=$({run}) && exec containerpilot{} -putmetric \"{metric}=$value\"",
                self.socket_option()
            );
            vec![literal("sh"), literal("-c"), literal(&script), literal("sensor")]
        };
        let Some(check) = member(sensor, "check") else { return Out::List(shell("\"$@\"")) };
        let mut words = match &check.value {
            // Only what the actions render can be split.
            Value::String(text) if has_actions(text) => {
                let mut words = shell("set -f; exec $1");
                words.push(self.tree.copy(check, &LEAF));
                words
            }
            Value::String(text) => {
                let mut words = shell("\"$@\"");
                words.extend(text.split_whitespace().map(literal));
                words
            }
            _ => shell("\"$@\""),
        };
        if let Value::Array(items) = &check.value {
            words.extend(items.iter().map(|item| self.tree.copy(item, &LEAF)));
        }
        Out::List(words)
    }

    fn backends(&mut self) {
        let mut watched: Vec<&Backend> = Vec::new();
        for (node, backend) in items(self.root, "backends").into_iter().zip(&self.file.backends) {
            let same_name = |other: &&&Backend| other.name == backend.name;
            let others: Vec<&&Backend> = watched.iter().filter(same_name).collect();
            let is_watched = others.iter().any(|other| other.tag == backend.tag);
            if is_watched {
                self.warn(format!(
                    "the backend {:?} was there twice; it is watched once, on the first one's interval",
                    backend.name
                ));
            } else if !others.is_empty() {
                self.warn(format!(
                    "the backend {:?} is watched with several tags: a change of any of them runs all commands for it",
                    backend.name
                ));
            }
            if !is_watched {
                let mut watch = Object::default();
                watch.set_some("name", self.tree.take(node, "name", &LEAF));
                watch.set_some("interval", self.tree.take(node, "poll", &LEAF));
                watch.set_some("tag", self.tree.take(node, "tag", &LEAF));
                self.watches.push(Out::Object(watch));
                watched.push(backend);
            }
            let name = match &backend.tag {
                Some(tag) => format!("{}-{tag}-onChange", backend.name),
                None => format!("{}-onChange", backend.name),
            };
            let name = scalar(literal(&unique(&mut self.taken, &name)));
            let mut job = self.job(&name, node, "onChange");
            let source = scalar(literal(&format!("watch.{}", backend.name)));
            let source = self.watch_source(node).unwrap_or(source);
            let changed = event(&source, "each", "changed");
            // Of several watches, which such a name means, `all` takes none.
            let has_several = self
                .file
                .backends
                .iter()
                .any(|other| same_name(&&other) && other.tag != backend.tag);
            match self.after_start() {
                None => job.set("when", changed),
                Some(_) if has_several => {
                    job.set("when", changed);
                    self.warn(format!(
                        "{name} does not wait for preStart: its backend is watched with several tags"
                    ));
                }
                Some(started) => {
                    let mut when = Object::default();
                    when.set("all", Out::List(vec![started, changed]));
                    job.set("when", Out::Object(when));
                }
            }
            job.set_some("timeout", self.timeout(node));
            self.push(job);
        }
    }

    /// `watch.NAME` if the name has actions in it.
    fn watch_source(&self, node: &Node) -> Option<String> {
        let name = member(node, "name")?;
        let Value::String(text) = &name.value else { return None };
        has_actions(text).then(|| {
            let quoted = scalar(self.tree.copy(name, &LEAF));
            let (quote, rest) = quoted.split_at_checked(1).unwrap_or(("\"", ""));
            format!("{quote}watch.{rest}")
        })
    }

    /// The application and the hooks of the end.
    fn end(&mut self) {
        let key = |key: &str| member(self.root, key);
        if let (Some(name), Some(_)) = (self.names.pre_stop.clone(), key("preStop")) {
            let mut job = self.job(&name, self.root, "preStop");
            job.set(
                "when",
                match &self.names.application {
                    Some(application) => event(application, "once", "stopping"),
                    None => global("shutdown"),
                },
            );
            self.push(job);
        }
        let last = self.names.application.as_ref().or(self.names.coprocesses.last()).cloned();
        match (self.names.post_stop.clone(), last) {
            (Some(name), Some(last)) => {
                let mut job = self.job(&name, self.root, "postStop");
                job.set("when", event(&last, "once", "stopped"));
                self.push(job);
                self.warn("a failure of postStop no longer replaces the exit code");
            }
            _ if self.file.post_stop.is_some() => {
                self.warn("postStop is left out: it never ran, for lack of something to run after");
            }
            _ => {}
        }
        let Some(name) = self.names.application.clone() else { return };
        let mut job = Object::default();
        job.comment("The application: its exit ends the program, with its code. It stops when the services have");
        job.comment("left the catalog.");
        job.set("name", Out::Scalar(name));
        job.set("exec", Out::List(self.words.drain(..).map(Out::Scalar).collect()));
        job.set("essential", Out::Scalar("true".into()));
        job.set_some("when", self.after_start());
        let signal = self.tree.take(self.root, "stopSignal", &LEAF);
        match self.file.kill_after {
            KillAfter::AtOnce => {
                job.set("stopSignal", literal("SIGKILL"));
                job.explain("Was a negative stopTimeout.");
            }
            KillAfter::After(_) | KillAfter::Deadline => job.set_some("stopSignal", signal),
        }
        job.set_some("stopAfter", list(&self.names.services));
        let mut logging = Object::default();
        logging.set("raw", Out::Scalar("true".into()));
        job.set("logging", Out::Object(logging));
        self.push(job);
    }
}

/// `{ source, once }` or `{ source, each }`.
fn event(source: &str, frequency: &str, event: &str) -> Out {
    let mut object = Object::default();
    object.set("source", Out::Scalar(source.into()));
    object.set(frequency, literal(event));
    Out::Object(object)
}

fn global(event: &str) -> Out {
    let mut object = Object::default();
    object.set("once", literal(event));
    Out::Object(object)
}

/// A list of names, unless it is empty.
fn list(names: &[String]) -> Option<Out> {
    let names: Vec<Out> = names.iter().cloned().map(Out::Scalar).collect();
    (!names.is_empty()).then_some(Out::List(names))
}

/// The name of something, with the actions that it has in the file if it can keep them.
fn written_name(tree: &Tree<'_>, node: &Node, name: &str, taken: &mut Names) -> String {
    let unique = unique(taken, name);
    let typed = member(node, "name").filter(|typed| !is_empty(typed));
    match typed {
        Some(typed) if unique == name => scalar(tree.copy(typed, &LEAF)),
        _ => scalar(literal(&unique)),
    }
}

/// `name`, or one like it whose variable with the pid is the same: what stands behind the last
/// point does not count there.
fn unique(taken: &mut Names, name: &str) -> String {
    let name = if name.trim().is_empty() { "job" } else { name };
    if taken.take(name) {
        return name.to_owned();
    }
    let (folder, base) = match name.rsplit_once('/') {
        Some((folder, base)) => (format!("{folder}/"), base),
        None => (String::new(), name),
    };
    let stem = match base.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => base,
    };
    let mut number = 2;
    loop {
        let candidate = format!("{folder}{stem}.{number}");
        if taken.take(&candidate) {
            return candidate;
        }
        number += 1;
    }
}
