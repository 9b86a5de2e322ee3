//! On a pseudo-terminal, with a real server behind a real socket.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::wire::{Event, JobStatus};
use crate::{Events, Reply, Server, Socket};

const SOON: Duration = Duration::from_secs(10);
/// Nothing is drawn or asked because time passes.
const NEVER: Duration = Duration::from_secs(3600);

struct Fixture {
    folder: tempfile::TempDir,
    status: Arc<Mutex<Status>>,
    events: Events,
    /// The program, until it is aborted.
    program: tokio::task::JoinHandle<()>,
    wishes: mpsc::Sender<Wish>,
    show: tokio::task::JoinHandle<io::Result<()>>,
    master: File,
    slave: OwnedFd,
    seen: String,
}

fn program(
    folder: &tempfile::TempDir,
    events: &Events,
    status: &Arc<Mutex<Status>>,
) -> tokio::task::JoinHandle<()> {
    let socket = Socket::bind(&folder.path().join("s")).unwrap();
    let (server, mut calls) = Server::start(socket, events.clone(), Arc::new(|_, _| {})).unwrap();
    let status = Arc::clone(status);
    tokio::spawn(async move {
        let _server = server;
        while let Some(call) = calls.recv().await {
            let status = status.lock().unwrap().clone();
            let _ = call.reply.send(Reply::Status(Box::new(status)));
        }
    })
}

fn start(columns: u16, rows: u16, period: Duration) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let jobs = vec![JobStatus { name: "app".into(), ..JobStatus::default() }];
    let status = Arc::new(Mutex::new(Status { version: "9.9".into(), jobs, ..Status::default() }));
    let events = Events::new();
    let program = program(&folder, &events, &status);
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    fcntl(pty.master.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let terminal = Terminal::enter(File::from(pty.slave.try_clone().unwrap())).unwrap();
    let (wishes, mut wanted) = mpsc::channel(1);
    let client = Client::new(folder.path().join("s"));
    let show = tokio::task::spawn_local(async move {
        show(&client, terminal, period, async || wanted.recv().await.unwrap_or(Wish::End)).await
    });
    let (master, slave, seen) = (File::from(pty.master), pty.slave, String::new());
    Fixture { folder, status, events, program, wishes, show, master, slave, seen }
}

impl Fixture {
    /// Waits until the terminal is sent this, after what was looked at before.
    async fn until(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let mut chunk = [0; 4096];
            if let Ok(read) = self.master.read(&mut chunk) {
                self.seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(start.elapsed() < SOON, "waited in vain for {text:?}: {:?}", self.seen);
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn it_is_drawn_on_the_other_screen_and_the_first_comes_back() {
    local(async {
        let mut fixture = start(80, 24, NEVER);
        let drawn = fixture.until("app").await;
        assert!(drawn.starts_with(ENTER) && drawn.contains("containerpilot 9.9"), "{drawn:?}");
        fixture.wishes.send(Wish::End).await.unwrap();
        timeout(SOON, &mut fixture.show).await.unwrap().unwrap().unwrap();
        fixture.until(LEAVE).await;
    })
    .await;
}

#[tokio::test]
async fn a_view_that_is_cut_short_gives_the_screen_back() {
    local(async {
        let mut fixture = start(80, 24, NEVER);
        fixture.until("app").await;
        fixture.show.abort();
        fixture.until(LEAVE).await;
    })
    .await;
}

#[tokio::test]
async fn an_event_shows_what_has_changed_at_once() {
    local(async {
        let mut fixture = start(80, 24, NEVER);
        fixture.until("app").await;
        while fixture.events.streams() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        fixture.status.lock().unwrap().version = "10.0".into();
        fixture.events.publish(Event::default);
        fixture.until("10.0").await;
    })
    .await;
}

#[tokio::test]
async fn it_fits_whatever_size_the_terminal_gets() {
    local(async {
        let mut fixture = start(80, 24, NEVER);
        fixture.until("JOB").await;
        let size = rustix::termios::Winsize { ws_col: 20, ws_row: 3, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(fixture.slave.as_fd(), size).unwrap();
        fixture.wishes.send(Wish::Resize).await.unwrap();
        let drawn = fixture.until("... 2 more lines\x1b[K\x1b[J").await;
        let page = drawn.rsplit("\x1b[H").next().unwrap();
        assert!(!page.contains("app"), "{page:?}");
    })
    .await;
}

#[tokio::test]
async fn a_program_that_goes_away_is_said_and_found_again() {
    local(async {
        let mut fixture = start(300, 24, Duration::from_millis(20));
        fixture.until("app").await;
        fixture.program.abort();
        let drawn = fixture.until("(trying again)").await;
        assert!(drawn.contains("no such socket"), "{drawn:?}");
        // What was known last is still there.
        fixture.until("app").await;
        fixture.status.lock().unwrap().version = "10.0".into();
        fixture.program = program(&fixture.folder, &fixture.events, &fixture.status);
        let drawn = fixture.until("10.0").await;
        let page = drawn.rsplit("\x1b[H").next().unwrap();
        assert!(!page.contains("trying again"), "{page:?}");
    })
    .await;
}
