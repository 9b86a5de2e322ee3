//! A program run with files in a temporary folder.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::tree::kill_tree;
use crate::wait::wait_until;
use crate::{Host, write_script};

/// How long [`Running::wait_for_line`] waits: a program that has not spoken by then never will.
const SPEAK: Duration = Duration::from_secs(15);

/// How to run a program: its arguments, environment and files. It runs in a temporary folder of
/// its own, with an environment of `PATH`, `HOME` (that folder) and what [`Program::env`] adds.
/// It may be spawned more than once, in the same folder.
pub struct Program {
    binary: PathBuf,
    folder: Arc<TempDir>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    input: Option<Vec<u8>>,
    host: Option<Host>,
}

impl Program {
    /// A program by its path, such as `env!("CARGO_BIN_EXE_containerpilot")`, or by its name in
    /// `PATH`.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let folder = tempfile::Builder::new().prefix("testkit-").tempdir().expect("a folder");
        Self {
            binary: binary.as_ref().into(),
            folder: Arc::new(folder),
            args: Vec::new(),
            env: Vec::new(),
            input: None,
            host: None,
        }
    }

    /// Writes a file into the folder; `name` may hold folders.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        write_file(&self.path(name), content.as_ref());
        self
    }

    /// Writes an executable shell script into the folder; the first line is added.
    #[must_use]
    pub fn script(self, name: &str, body: &str) -> Self {
        write_script(self.folder.path(), name, body);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Sets an environment variable; the last of a name wins.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// What the program reads on its standard input; without this it is `/dev/null`.
    #[must_use]
    pub fn stdin(mut self, input: impl AsRef<[u8]>) -> Self {
        self.input = Some(input.as_ref().to_vec());
        self
    }

    /// Runs in a host of a network, instead of the machine's own.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = Some(host.clone());
        self
    }

    /// The temporary folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn(&self) -> Running {
        let mut words = self.host.as_ref().map(Host::entrance).unwrap_or_default();
        words.push(self.binary.clone().into_os_string());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(&self.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.binary.display()));
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), self.input.clone()) {
            // A program that does not read must not hold up the test.
            thread::spawn(move || stdin.write_all(&input));
        }
        Running {
            pid: child.id(),
            stdout: Output::collect(child.stdout.take()),
            stderr: Output::collect(child.stderr.take()),
            child,
            ended: None,
            folder: Arc::clone(&self.folder),
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// A program that has ended, and what it wrote.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// A program that was started. Dropping it kills it, its descendants, and whatever still works in
/// its folder.
pub struct Running {
    pid: u32,
    child: Child,
    ended: Option<Ended>,
    stdout: Output,
    stderr: Output,
    folder: Arc<TempDir>,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The temporary folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes or replaces a file in the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write_file(&self.path(name), content.as_ref());
    }

    /// A file of the folder as text, if it is there.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read(self.path(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Sends a signal to the program alone.
    ///
    /// # Panics
    /// If it has been waited for already: its id may belong to another by now.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        assert!(self.ended.is_none(), "{signal} for a program that has ended");
        kill(Pid::from_raw(self.pid as i32), signal)
            .unwrap_or_else(|error| panic!("cannot send {signal} to {}: {error}", self.pid));
    }

    /// Stops it with SIGSTOP: the kernel accepts connections to it, and nobody answers. All of its
    /// threads stand still when this returns, for the signal alone takes its time.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.pid);
        // A thread's state follows its name, which is in brackets.
        let stopped = |stat: String| stat.rsplit(')').next().is_some_and(|s| s.starts_with(" T"));
        wait_until("all threads stand still", SPEAK, || {
            fs::read_dir(&tasks)
                .expect("a running program")
                .flatten()
                .all(|task| fs::read_to_string(task.path().join("stat")).is_ok_and(stopped))
        });
    }

    /// What it has written to its standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to its standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits for a line with `part` in it on either stream and returns that line.
    ///
    /// # Panics
    /// After fifteen seconds, or when the program has ended without it; with what it wrote.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let mut over = false;
        let found = wait_until(&format!("a line with {part:?} is written"), SPEAK, || {
            // Asked before reading: what it wrote before it ended is read after this.
            let ended = self.ended().filter(|_| self.closed());
            let (out, err) = (self.stdout.text(), self.stderr.text());
            match out.lines().chain(err.lines()).find(|line| line.contains(part)) {
                Some(line) => Ok(Some(line.to_owned())),
                None if ended.is_some() => {
                    over = true;
                    Ok(None)
                }
                None => Err(format!("\n--- stdout\n{out}\n--- stderr\n{err}")),
            }
        });
        let (out, err) = (self.stdout.text(), self.stderr.text());
        found.unwrap_or_else(|| {
            panic!("ended without a line with {part:?}\n--- stdout\n{out}\n--- stderr\n{err}")
        })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            let status = self.child.try_wait().expect("the program is our child")?;
            self.ended = Some(match (status.code(), status.signal()) {
                (Some(code), _) => Ended::Code(code),
                (None, signal) => Ended::Signal(signal.unwrap_or_default()),
            });
        }
        self.ended
    }

    /// Waits for its end and returns how it ended and all that it wrote.
    ///
    /// # Panics
    /// If it still runs at the deadline, with what it wrote so far.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> Finished {
        let ended = wait_until("the program ends", deadline, || {
            self.ended().ok_or_else(|| {
                let (out, err) = (self.stdout.text(), self.stderr.text());
                format!("it runs\n--- stdout\n{out}\n--- stderr\n{err}")
            })
        });
        // What it wrote is in the pipes. They close at once unless a child of it lives on.
        let patience = std::time::Instant::now() + Duration::from_secs(1);
        while !self.closed() && std::time::Instant::now() < patience {
            thread::sleep(Duration::from_millis(1));
        }
        Finished { ended, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Kills it with SIGKILL and reaps it; what it started lives on until this is dropped.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn closed(&self) -> bool {
        self.stdout.closed.load(Ordering::SeqCst) && self.stderr.closed.load(Ordering::SeqCst)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let root = self.ended().is_none().then_some(self.pid);
        kill_tree(root, self.folder.path());
        if self.ended.is_none() {
            let _ = self.child.wait();
        }
    }
}

/// One stream, collected by a thread so that the program never blocks on it.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
}

impl Output {
    fn collect(stream: Option<impl Read + Send + 'static>) -> Self {
        let output = Self { bytes: Arc::default(), closed: Arc::default() };
        let (bytes, closed) = (Arc::clone(&output.bytes), Arc::clone(&output.closed));
        thread::spawn(move || {
            let mut chunk = [0; 8192];
            if let Some(mut stream) = stream {
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    bytes.lock().unwrap().extend_from_slice(&chunk[..n]);
                }
            }
            closed.store(true, Ordering::SeqCst);
        });
        output
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

fn write_file(path: &Path, content: &[u8]) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("a folder for the file");
    }
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[cfg(test)]
mod tests;
