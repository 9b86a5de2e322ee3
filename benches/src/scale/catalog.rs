//! The catalogs that are measured side by side.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use serde_json::json;
use testkit::{Consul, Program, Running};

use crate::proc;

/// Which one.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Ours for development, and where its program is.
    Development(PathBuf),
    /// A real one.
    Consul,
}

impl Kind {
    /// Ours from `CATALOG_SERVER`, else from beside this program; and Consul.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let beside = || Some(env::current_exe().ok()?.with_file_name("catalog-server"));
        let path = env::var_os("CATALOG_SERVER").map(PathBuf::from).or_else(beside);
        let path = path.context("no place to look for catalog-server")?;
        let path = fs::canonicalize(&path).with_context(|| {
            format!("no catalog-server at {}: `make bench` builds it", path.display())
        })?;
        Ok(vec![Self::Development(path), Self::Consul])
    }

    /// The head of its column.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Development(_) => "catalog-server",
            Kind::Consul => "consul",
        }
    }
}

/// One at work, empty at first. Killed on drop.
pub(crate) struct Catalog {
    pub(crate) address: String,
    pid: u32,
    _server: Server,
}

enum Server {
    Development { _running: Box<Running> },
    Consul { _consul: Box<Consul> },
}

impl Catalog {
    pub(crate) fn start(kind: &Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Development(path) => {
                let limits = ["-max-connections", "16000", "-max-blocked", "16000"];
                let program = Program::new(path).args(["-http", "127.0.0.1:0"]).args(limits);
                let mut running = program.spawn();
                let line = running.wait_for_line("listening on http://127.0.0.1:");
                let address = line.rsplit('/').next().context("no address")?.to_owned();
                let pid = running.pid();
                Self { address, pid, _server: Server::Development { _running: Box::new(running) } }
            }
            Kind::Consul => {
                // By default it takes 200 connections from one address, and counts those of abandoned
                // queries until these are over.
                let consul =
                    Consul::start_with(json!({ "limits": { "http_max_conns_per_client": 16000 } }));
                let pid = consul.pid();
                let address = consul.address();
                Self { address, pid, _server: Server::Consul { _consul: Box::new(consul) } }
            }
        })
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<f64> {
        proc::resident(self.pid)
    }

    /// Seconds of CPU time so far.
    pub(crate) fn cpu(&self) -> Result<f64> {
        proc::cpu(self.pid)
    }
}

/// How long one answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
