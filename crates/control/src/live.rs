//! The table, kept up to date on a terminal.
//!
//! It is drawn again every second, and when an event says that something has changed. The other
//! screen of the terminal is used, so that nothing of it stays: whatever ends the view, dropping its
//! `Terminal` gives the first screen back.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};

use crate::client::Client;
use crate::events::Filter;
use crate::table::{self, Style};
use crate::wire::Status;

/// How often the program is asked when nothing happens.
const PERIOD: Duration = Duration::from_secs(1);
/// How often it is asked at most.
const PAUSE: Duration = Duration::from_millis(100);
/// How long an answer may take before it is said that there is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// To the other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Shows the status on standard output until a signal (Ctrl-C) ends it. While the program does
/// not answer, that is said above the last status, and tried again. Must be called within a tokio
/// runtime with I/O and time.
///
/// # Errors
/// Standard output is no terminal, or cannot be written to.
pub async fn run(client: &Client) -> io::Result<()> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Err(io::Error::other(
            "standard output is not a terminal (docker exec -t makes one)",
        ));
    }
    let mut signals = Signals::catch()?;
    let terminal = Terminal::enter(File::from(stdout.as_fd().try_clone_to_owned()?))?;
    show(client, terminal, PERIOD, async || signals.next().await).await
}

/// Columns of the terminal that standard output is; `None` if it is none.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    End,
    /// The terminal has another size.
    Resize,
    /// Ctrl-Z.
    Suspend,
}

struct Signals {
    ends: [Stream; 4],
    resize: Stream,
    suspend: Stream,
}

impl Signals {
    fn catch() -> io::Result<Signals> {
        let [interrupt, terminate, hangup, quit] = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        Ok(Signals {
            ends: [signal(interrupt)?, signal(terminate)?, signal(hangup)?, signal(quit)?],
            resize: signal(SignalKind::window_change())?,
            suspend: signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?,
        })
    }

    async fn next(&mut self) -> Wish {
        let [interrupt, terminate, hangup, quit] = &mut self.ends;
        tokio::select! {
            _ = interrupt.recv() => Wish::End,
            _ = terminate.recv() => Wish::End,
            _ = hangup.recv() => Wish::End,
            _ = quit.recv() => Wish::End,
            _ = self.resize.recv() => Wish::Resize,
            _ = self.suspend.recv() => Wish::Suspend,
        }
    }
}

/// A terminal whose other screen we use.
struct Terminal {
    tty: File,
}

impl Terminal {
    fn enter(tty: File) -> io::Result<Terminal> {
        let mut terminal = Terminal { tty };
        terminal.write(ENTER)?;
        Ok(terminal)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.tty.write_all(text.as_bytes())
    }

    /// Columns and rows.
    fn size(&self) -> (usize, usize) {
        match rustix::termios::tcgetwinsize(&self.tty) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            _ => (80, 24),
        }
    }

    /// Writes over what was there, line by line, so that nothing flickers.
    fn draw(&mut self, view: &View) -> io::Result<()> {
        let (columns, rows) = self.size();
        let text = view.render(columns);
        let lines = text.lines().count();
        let shown = if lines > rows { rows.saturating_sub(1) } else { lines };
        let mut page = String::from("\x1b[H");
        for (index, line) in text.lines().take(shown).enumerate() {
            page.push_str(if index == 0 { "" } else { "\r\n" });
            page.push_str(line);
            page.push_str("\x1b[K");
        }
        if shown < lines {
            let more: String =
                format!("... {} more lines", lines - shown).chars().take(columns).collect();
            page.push_str(if shown == 0 { "" } else { "\r\n" });
            page.push_str(&more);
            page.push_str("\x1b[K");
        }
        page.push_str("\x1b[J");
        self.write(&page)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = self.write(LEAVE);
    }
}

/// What is known.
#[derive(Default)]
struct View {
    status: Option<Box<Status>>,
    trouble: Option<String>,
}

impl View {
    fn render(&self, columns: usize) -> String {
        let mut text = String::new();
        if let Some(trouble) = &self.trouble {
            text.push_str(&table::trouble(trouble, Some(columns), Style::Colour));
        }
        if let Some(status) = &self.status {
            let now = SystemTime::now();
            text.push_str(&table::render(status, Some(columns), Style::Colour, now));
        }
        text
    }
}

async fn show(
    client: &Client,
    mut terminal: Terminal,
    period: Duration,
    mut wish: impl AsyncFnMut() -> Wish,
) -> io::Result<()> {
    let view = RefCell::new(View::default());
    let (happened, seen) = (Notify::new(), Notify::new());
    let (ask, listen) =
        (ask(client, &view, period, &happened, &seen), listen(client, period, &happened));
    tokio::pin!(ask, listen);
    // Times grow even if nobody answers.
    let mut tick = interval(period);
    loop {
        tokio::select! {
            biased;
            wish = wish() => match wish {
                Wish::End => return Ok(()),
                Wish::Resize => {}
                Wish::Suspend => {
                    terminal.write(LEAVE)?;
                    // Here we stand still until somebody continues us.
                    raise(Signal::SIGSTOP)?;
                    terminal.write(ENTER)?;
                }
            },
            never = &mut ask => match never {},
            never = &mut listen => match never {},
            () = seen.notified() => {}
            _ = tick.tick() => {}
        }
        terminal.draw(&view.borrow())?;
    }
}

/// Asks for the status again and again: every period, and when something has happened.
async fn ask(
    client: &Client,
    view: &RefCell<View>,
    period: Duration,
    happened: &Notify,
    seen: &Notify,
) -> Infallible {
    loop {
        let answer = timeout(PATIENCE, client.status()).await;
        {
            let mut view = view.borrow_mut();
            match answer {
                Ok(Ok(status)) => *view = View { status: Some(Box::new(status)), trouble: None },
                Ok(Err(error)) => view.trouble = Some(format!("{error} (trying again)")),
                Err(_) => {
                    let socket = client.socket().display();
                    view.trouble =
                        Some(format!("{socket}: the program does not answer (trying again)"));
                }
            }
        }
        seen.notify_one();
        sleep(PAUSE).await;
        let _ = timeout(period.saturating_sub(PAUSE), happened.notified()).await;
    }
}

/// Says when something has happened, as long as there is anybody to say it.
async fn listen(client: &Client, period: Duration, happened: &Notify) -> Infallible {
    loop {
        // Why there is no stream is said where the status is asked for.
        let _ = client.events(&Filter::default(), |_| happened.notify_one()).await;
        happened.notify_one();
        sleep(period).await;
    }
}

#[cfg(test)]
#[path = "live/tests.rs"]
mod tests;
