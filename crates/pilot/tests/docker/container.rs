//! A container with the init program as PID 1, and the folder that it shares with its test.

use std::{
    env, fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use testkit::wait_until;

use crate::{
    engine::{Finished, docker, docker_quietly, docker_run},
    image::{Image, unique},
};

/// How long something in a container may take to show: a laptop under load needs its time.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The arguments of the init program.
const CONFIG: [&str; 2] = ["-config", "/shared/config.json5"];

/// A container that is being prepared.
pub(crate) struct Setup {
    image: Arc<Image>,
    folder: Folder,
    options: Vec<String>,
}

impl Setup {
    /// Without network.
    #[track_caller]
    pub(crate) fn isolated() -> Setup {
        Setup::new(&["--network=none"])
    }

    /// On the host's network, where the tests' Consul listens; its host name is `box`.
    #[track_caller]
    pub(crate) fn on_host() -> Setup {
        Setup::new(&["--network=host", "--hostname=box"])
    }

    #[track_caller]
    fn new(options: &[&str]) -> Setup {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Setup { image: Image::shared(), folder: Folder::new(), options }
    }

    /// Adds an option of `docker run`.
    pub(crate) fn option(mut self, option: &str) -> Setup {
        self.options.push(option.to_owned());
        self
    }

    /// Writes a file that is in `/shared` inside.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Setup {
        self.folder.write(name, content.as_ref());
        self
    }

    /// Starts the init program with this configuration and application.
    #[track_caller]
    pub(crate) fn start(self, config: &str, application: &[&str]) -> Container {
        self.folder.write("config.json5", config.as_bytes());
        let container = self.container();
        docker(&[&container.words(&["run", "--detach"]), &CONFIG[..], application].concat());
        container
    }

    /// Runs the init program to its end; answers with the exact bytes of its streams as well.
    #[track_caller]
    pub(crate) fn run(self, config: &str, application: &[&str]) -> (Container, Finished) {
        self.folder.write("config.json5", config.as_bytes());
        let container = self.container();
        let finished = docker_run(&[&container.words(&["run"]), &CONFIG[..], application].concat());
        (container, finished)
    }

    /// Starts a program as PID 1, without the init program.
    #[track_caller]
    pub(crate) fn start_bare(self, program: &str, args: &[&str]) -> Container {
        let container = self.container();
        let entry = format!("--entrypoint={program}");
        docker(&[&container.words(&["run", "--detach", &entry]), args].concat());
        container
    }

    fn container(self) -> Container {
        let name = unique("containerpilot-test");
        let shared = format!("--volume={}:/shared", self.folder.0.display());
        let mut options =
            vec![format!("--name={name}"), "--label=containerpilot-test".into(), shared];
        options.extend(self.options);
        Container { name, options, folder: self.folder, image: self.image }
    }
}

/// A container, removed on drop, with its logs shown if its test has failed.
pub(crate) struct Container {
    name: String,
    options: Vec<String>,
    folder: Folder,
    image: Arc<Image>,
}

impl Container {
    /// A command of `docker` with all options, up to the image.
    fn words<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        let options = self.options.iter().map(String::as_str);
        command.iter().copied().chain(options).chain([self.image.name()]).collect()
    }

    /// `docker stop` with the engine's ten seconds; answers with how long it took.
    #[track_caller]
    pub(crate) fn stop(&self) -> Duration {
        let begin = Instant::now();
        docker(&["stop", &self.name]);
        begin.elapsed()
    }

    /// `docker kill -s SIGNAL`.
    #[track_caller]
    pub(crate) fn signal(&self, signal: &str) {
        docker(&["kill", "--signal", signal, &self.name]);
    }

    /// Waits for its end; its exit code as `docker inspect` shows it.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        docker(&["wait", &self.name]);
        let format = "--format={{.State.Status}} {{.State.ExitCode}}";
        let state = docker(&["inspect", format, &self.name]).text();
        let code = state.strip_prefix("exited ").and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("docker inspect says {state:?}"))
    }

    /// The output of a shell command inside.
    #[track_caller]
    pub(crate) fn shell(&self, command: &str) -> String {
        docker(&["exec", &self.name, "sh", "-c", command]).text()
    }

    /// `docker logs`: both streams so far.
    #[track_caller]
    pub(crate) fn logs(&self) -> Finished {
        docker(&["logs", &self.name])
    }

    /// Waits for a part of a line in the logs.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, part: &str) {
        wait_until(&format!("the log has {part:?}"), SOON, || {
            let logs = self.logs();
            let text = String::from_utf8_lossy(&[logs.stdout, logs.stderr].concat()).into_owned();
            if text.contains(part) { Ok(()) } else { Err(text) }
        });
    }

    /// What `fixtures/note` has noted so far, oldest first.
    pub(crate) fn events(&self) -> Vec<String> {
        self.moments().into_iter().map(|(_, what)| what).collect()
    }

    /// The same with the seconds since the machine's start.
    pub(crate) fn moments(&self) -> Vec<(f64, String)> {
        let text = String::from_utf8(self.read("events")).expect("text");
        let moment = |line: &str| {
            let (at, what) = line.split_once(' ').expect("a time and an event");
            (at.parse().expect("seconds"), what.to_owned())
        };
        text.lines().map(moment).collect()
    }

    /// Waits for an event that begins like this; the rest of it.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, prefix: &str) -> String {
        wait_until(&format!("{prefix:?} is noted"), SOON, || {
            let events = self.events();
            let rest = events.iter().find_map(|event| event.strip_prefix(prefix));
            rest.map(|rest| rest.trim().to_owned()).ok_or_else(|| format!("{events:?}"))
        })
    }

    /// A file of `/shared`; empty if it is not there.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.0.join(name)).unwrap_or_default()
    }

    /// Replaces a file of `/shared`.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.folder.write(name, content.as_ref());
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = docker_quietly(&["logs", "--tail=200", "--timestamps", &self.name]);
            let show = |bytes: &[u8]| {
                String::from_utf8_lossy(&bytes[..bytes.len().min(20_000)]).into_owned()
            };
            if let Some(logs) = logs {
                eprintln!("--- stdout of {}\n{}", self.name, show(&logs.stdout));
                eprintln!("--- stderr\n{}", show(&logs.stderr));
            }
            eprintln!("--- events\n{}", show(&self.read("events")));
        }
        docker_quietly(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// A folder of the host, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = env::temp_dir().join(unique("containerpilot-test"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Folder(path)
    }

    /// Renames the file into place, so that nobody sees half of it.
    fn write(&self, name: &str, content: &[u8]) {
        let (new, path) = (self.0.join(format!("{name}.new")), self.0.join(name));
        let written = fs::write(&new, content).and_then(|()| fs::rename(&new, &path));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}
