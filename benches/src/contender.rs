//! The programs that are measured side by side.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::scenario::{Generation, Scenario};

/// A program that runs an application, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contender {
    /// The head of its column.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ours: both generations of configuration files.
    Ours(PathBuf),
    /// An original ContainerPilot: one generation.
    Peer(PathBuf, Generation),
    /// Starts a program and reaps.
    Tini(PathBuf),
    /// The same.
    DumbInit(PathBuf),
    /// No init: the application by itself.
    Bare,
}

impl Contender {
    /// Ours from `CONTAINERPILOT_STATIC`, the small inits from `PATH`, and an original from
    /// `PEER_CONTAINERPILOT` if that is set.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let ours = env::var_os("CONTAINERPILOT_STATIC")
            .context("CONTAINERPILOT_STATIC must name our static binary; `make bench` sets it")?;
        let contender = |name: &str, kind| Self { name: name.to_owned(), kind };
        let mut all = vec![
            contender("ours", Kind::Ours(program(Path::new(&ours))?)),
            contender("tini", Kind::Tini(in_path("tini")?)),
            contender("dumb-init", Kind::DumbInit(in_path("dumb-init")?)),
            contender("bare", Kind::Bare),
        ];
        if let Some(peer) = env::var_os("PEER_CONTAINERPILOT") {
            let generation = match env::var("PEER_GENERATION").as_deref() {
                Ok("2") => Generation::Two,
                Ok("3") | Err(_) => Generation::Three,
                Ok(other) => bail!("PEER_GENERATION is {other:?}: want 2 or 3"),
            };
            let number = if generation == Generation::Two { 2 } else { 3 };
            let kind = Kind::Peer(program(Path::new(&peer))?, generation);
            all.push(contender(&format!("original {number}.x"), kind));
        }
        Ok(all)
    }

    /// The file of the program itself; `None` if there is none.
    pub(crate) fn binary(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Ours(path) | Kind::Peer(path, _) | Kind::Tini(path) | Kind::DumbInit(path) => {
                Some(path)
            }
            Kind::Bare => None,
        }
    }

    /// Whether it reads configurations; the others only hold an application.
    pub(crate) fn is_configurable(&self) -> bool {
        matches!(self.kind, Kind::Ours(_) | Kind::Peer(..))
    }

    /// The command line that runs a scenario, with files in `folder` where it needs any. `None`
    /// if the program cannot express it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn command(
        &self,
        scenario: &Scenario,
        folder: &Path,
    ) -> Result<Option<Vec<String>>> {
        let mut command: Vec<String> = self.binary().map(text).into_iter().collect();
        let generation = match self.kind {
            Kind::Ours(_) => scenario.generation,
            Kind::Peer(_, generation) => generation,
            Kind::Tini(_) => {
                // As PID 1 it needs no -s; here it would complain without.
                command.extend(["-s".to_owned(), "--".to_owned()]);
                command.extend(scenario.application.iter().cloned());
                return Ok(Some(command));
            }
            Kind::DumbInit(_) | Kind::Bare => {
                command.extend(scenario.application.iter().cloned());
                return Ok(Some(command));
            }
        };
        let Some(config) = scenario.config(generation, &text(folder.join("control"))) else {
            return Ok(None);
        };
        command.push("-config".to_owned());
        match generation {
            Generation::Two => {
                command.push(config.to_string());
                command.extend(scenario.application.iter().cloned());
            }
            Generation::Three => {
                let file = folder.join("config.json5");
                fs::write(&file, config.to_string())?;
                command.push(text(&file));
            }
        }
        Ok(Some(command))
    }
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// The absolute path of an existing program: programs run in folders of their own.
fn program(path: &Path) -> Result<PathBuf> {
    let path =
        fs::canonicalize(path).with_context(|| format!("no program at {}", path.display()))?;
    ensure!(path.is_file(), "{} is no program", path.display());
    Ok(path)
}

fn in_path(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("no {name} in PATH: run scripts/install-bench-needs"))
}
