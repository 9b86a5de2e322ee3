//! A renderer at work on one file.

use std::cell::Cell;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use testkit::{Program, Running};

use crate::proc;

/// All services of the catalog, as a proxy needs them.
const TEMPLATE: &str = r#"{{ range services }}{{ if ne .Name "consul" }}upstream {{ .Name }} {
{{ range service .Name }}    server {{ .Address }}:{{ .Port }};
{{ end }}}
{{ end }}{{ end }}"#;

/// How exactly a new file is seen.
const LOOK: Duration = Duration::from_micros(100);

/// Which renderer.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// Ours: the init program, called as `consul-template`.
    Ours(PathBuf),
    /// An original consul-template.
    Peer(PathBuf),
}

impl Which {
    pub(super) fn all() -> Result<Vec<Self>> {
        let ours = env::var_os("CONTAINERPILOT_STATIC")
            .context("CONTAINERPILOT_STATIC must name our static binary; `make bench` sets it")?;
        let absolute = |path: &Path| {
            fs::canonicalize(path).with_context(|| format!("no program at {}", path.display()))
        };
        let mut all = vec![Self::Ours(absolute(Path::new(&ours))?)];
        if let Some(peer) = env::var_os("PEER_CONSUL_TEMPLATE") {
            all.push(Self::Peer(absolute(Path::new(&peer))?));
        }
        Ok(all)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "ours",
            Self::Peer(_) => "original",
        }
    }
}

/// A renderer that has written its first file. Killed on drop.
pub(super) struct Rendering {
    running: Running,
    destination: PathBuf,
    /// From its start to its first file.
    pub(super) first: Duration,
    port: Cell<u16>,
    _folder: TempDir,
}

impl Rendering {
    pub(super) fn start(which: &Which, address: &str, patience: Duration) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        // Ours is another program by another name.
        let (Which::Ours(program) | Which::Peer(program)) = which;
        symlink(program, path("consul-template"))?;
        fs::write(path("all.ctmpl"), TEMPLATE)?;
        let destination = path("all.conf");
        let template = format!("{}:{}", path("all.ctmpl").display(), destination.display());
        let program = Program::new(path("consul-template"));
        let program = program.args(["-consul-addr", address, "-template", &template]);
        let start = Instant::now();
        let running = program.spawn();
        let mut rendering = Self {
            running,
            destination,
            first: Duration::ZERO,
            port: Cell::new(9000),
            _folder: folder,
        };
        rendering.await_text(|_| true, patience).context("of the first file")?;
        rendering.first = start.elapsed();
        Ok(rendering)
    }

    pub(super) fn text(&self) -> Result<String> {
        fs::read_to_string(&self.destination).context("no file")
    }

    /// A port that no instance has had yet.
    pub(super) fn another_port(&self) -> u16 {
        self.port.set(self.port.get() + 1);
        self.port.get()
    }

    /// Waits for a file with a text of which that is true. It is read again when it is another one.
    pub(super) fn await_text(
        &self,
        wanted: impl Fn(&str) -> bool,
        patience: Duration,
    ) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let start = Instant::now();
        let mut seen = None;
        while start.elapsed() < patience {
            let file = fs::metadata(&self.destination).ok();
            let file = file.map(|file| (file.ino(), file.mtime_nsec()));
            if file.is_some() && file != seen {
                seen = file;
                if wanted(&self.text()?) {
                    return Ok(());
                }
            }
            thread::sleep(LOOK);
        }
        bail!("no file in time: {}", self.running.stderr_so_far());
    }

    /// Its resident memory in bytes.
    pub(super) fn resident(&self) -> Result<f64> {
        proc::resident(self.running.pid())
    }
}
