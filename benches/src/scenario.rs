//! What an init program is told to do, in both generations of configuration files.

use serde_json::{Value, json};

/// Which generation of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// 1.x/2.x: services, backends, and the application on the command line.
    Two,
    /// 3.x: jobs and watches.
    Three,
}

/// Whether services are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catalog {
    /// Every service registers and every passing check is a heartbeat.
    Registered,
    /// Checks run, and that is all. 3.x only.
    Unused,
}

/// What becomes of the application's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// It inherits ours.
    Inherited,
    /// Its lines go through the log. 3.x only.
    Logged,
}

/// A watch on a service, and the command that runs on its changes.
pub(crate) struct Watch {
    pub(crate) service: String,
    pub(crate) on_change: Vec<String>,
    /// Seconds.
    pub(crate) poll: u32,
}

/// An application, and what is done around it.
pub(crate) struct Scenario {
    /// Which generation shows the figure best; a program that knows one only takes that.
    pub(crate) generation: Generation,
    /// `host:port`
    pub(crate) consul: String,
    /// Names; each gets a port, and a check that runs [`CHECK`].
    pub(crate) services: Vec<String>,
    pub(crate) catalog: Catalog,
    /// Seconds between two checks of a service.
    pub(crate) poll: u32,
    pub(crate) watch: Option<Watch>,
    pub(crate) application: Vec<String>,
    pub(crate) streams: Streams,
}

/// A check that costs as little as a process can.
const CHECK: &str = "/bin/true";

impl Scenario {
    /// An application and nothing else.
    pub(crate) fn of(application: Vec<String>) -> Self {
        Self {
            generation: Generation::Two,
            // Nothing connects: there is nothing to register or to watch.
            consul: "127.0.0.1:1".to_owned(),
            services: Vec::new(),
            catalog: Catalog::Registered,
            poll: 10,
            watch: None,
            application,
            streams: Streams::Inherited,
        }
    }

    /// The configuration; `None` if that generation cannot express it.
    pub(crate) fn config(&self, generation: Generation, socket: &str) -> Option<Value> {
        match generation {
            Generation::Two => self.version_2(),
            Generation::Three => Some(self.version_3(socket)),
        }
    }

    fn version_2(&self) -> Option<Value> {
        if self.catalog == Catalog::Unused || self.streams == Streams::Logged {
            return None;
        }
        let services: Vec<Value> = self
            .services
            .iter()
            .zip(8000..)
            .map(|(name, port)| {
                json!({ "name": name, "port": port, "health": CHECK, "poll": self.poll,
                    "ttl": self.poll * 3, "interfaces": ["static:127.0.0.1"] })
            })
            .collect();
        let backends: Vec<Value> = self
            .watch
            .iter()
            .map(|watch| {
                json!({ "name": watch.service, "poll": watch.poll, "onChange": watch.on_change })
            })
            .collect();
        Some(json!({ "consul": self.consul, "services": services, "backends": backends }))
    }

    fn version_3(&self, socket: &str) -> Value {
        let raw = self.streams == Streams::Inherited;
        let mut jobs = vec![json!({ "name": "application", "exec": self.application,
            "logging": { "raw": raw } })];
        for (name, port) in self.services.iter().zip(8000..) {
            let mut job = json!({ "name": name,
                "health": { "exec": CHECK, "interval": self.poll, "ttl": self.poll * 3 } });
            if self.catalog == Catalog::Registered {
                job["port"] = json!(port);
                job["interfaces"] = json!(["static:127.0.0.1"]);
            }
            jobs.push(job);
        }
        let mut watches = Vec::new();
        if let Some(watch) = &self.watch {
            watches.push(json!({ "name": watch.service, "interval": watch.poll }));
            jobs.push(json!({ "name": "on-change", "exec": watch.on_change,
                "when": { "source": format!("watch.{}", watch.service), "each": "changed" } }));
        }
        json!({ "consul": self.consul, "control": { "socket": socket }, "jobs": jobs,
            "watches": watches })
    }
}
