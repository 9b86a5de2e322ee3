//! A status as a table for people.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::time::since;
use crate::width::{fit, width_of};
use crate::wire::{
    ElectionState, ElectionStatus, Health, HealthStatus, JobState, JobStatus, LastExit,
    ServiceStatus, Status, TemplateState, TemplateStatus, WatchStatus,
};

/// So many lines of the output of a check that has not passed are shown: the last ones.
const OUTPUT: usize = 5;
/// So many instances of a watch are shown.
const INSTANCES: usize = 10;
/// Between columns.
const GAP: usize = 2;

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone: for pipes and files.
    Plain,
    /// With the colours of a terminal.
    Colour,
}

/// What a piece of text is, and so how it is coloured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Normal,
    Title,
    Quiet,
    Good,
    Warning,
    Bad,
}

#[derive(Clone)]
struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    fn new(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: text.into(), tone }
    }

    fn normal(text: impl Into<String>) -> Cell {
        Cell::new(text, Tone::Normal)
    }

    fn none() -> Cell {
        Cell::normal("")
    }
}

/// Draws the status as seen at `now`. No line is wider than `width` columns, if that is known:
/// the columns that matter least are left out, and then lines are cut.
pub fn render(status: &Status, width: Option<usize>, style: Style, now: SystemTime) -> String {
    let mut page = Page { text: String::new(), width, style };
    headline(&mut page, status, now);
    if !status.jobs.is_empty() {
        page.blank();
        jobs(&mut page, &status.jobs, now);
    }
    if !status.watches.is_empty() {
        page.blank();
        watches(&mut page, &status.watches);
    }
    if !status.elections.is_empty() {
        page.blank();
        elections(&mut page, &status.elections, now);
    }
    if !status.templates.is_empty() {
        page.blank();
        templates(&mut page, &status.templates, now);
    }
    page.text
}

/// The status could not be had: what is shown above the last one.
pub(crate) fn trouble(message: &str, width: Option<usize>, style: Style) -> String {
    let mut page = Page { text: String::new(), width, style };
    page.line(&[Cell::new(message, Tone::Bad)]);
    page.blank();
    page.text
}

fn headline(page: &mut Page, status: &Status, now: SystemTime) {
    let Status { version, generation, pid, config, .. } = status;
    let up = since(&status.since, now);
    page.line(&[
        Cell::new(format!("containerpilot {version}"), Tone::Title),
        Cell::normal(format!(
            "  up {up}, pid {pid}, {config} configuration, generation {generation}"
        )),
    ]);
    if let Some(catalog) = &status.catalog {
        let name = Cell::normal(format!("catalog {}  ", catalog.name));
        let how_long = since(&catalog.since, now);
        let state = if catalog.reachable {
            Cell::new(format!("reachable for {how_long}"), Tone::Good)
        } else {
            let outage = catalog.outage.as_deref().unwrap_or("no answer");
            Cell::new(format!("unreachable for {how_long}: {outage}"), Tone::Bad)
        };
        page.line(&[name, state]);
    }
    if status.maintenance {
        page.line(&[Cell::new("maintenance: services are kept out of the catalog", Tone::Warning)]);
    }
    if status.stopping {
        page.line(&[Cell::new("stopping: all jobs are being ended", Tone::Warning)]);
    }
}

struct Column {
    title: &'static str,
    /// When there is no room, the highest is left out first; 0 stays.
    priority: u8,
    right: bool,
}

const JOBS: [Column; 8] = [
    Column { title: "JOB", priority: 0, right: false },
    Column { title: "STATE", priority: 0, right: false },
    Column { title: "PID", priority: 3, right: true },
    Column { title: "SINCE", priority: 1, right: true },
    Column { title: "RESTARTS", priority: 4, right: true },
    Column { title: "LAST EXIT", priority: 5, right: false },
    Column { title: "HEALTH", priority: 0, right: false },
    Column { title: "SERVICE", priority: 2, right: false },
];

const WATCHES: [Column; 3] = [
    Column { title: "WATCH", priority: 0, right: false },
    Column { title: "SERVICE", priority: 1, right: false },
    Column { title: "INSTANCES", priority: 0, right: false },
];

const ELECTIONS: [Column; 6] = [
    Column { title: "ELECTION", priority: 0, right: false },
    Column { title: "STATE", priority: 0, right: false },
    Column { title: "SINCE", priority: 2, right: true },
    Column { title: "LEADER", priority: 0, right: false },
    Column { title: "TOKEN", priority: 1, right: true },
    Column { title: "SERVICE", priority: 3, right: false },
];

const TEMPLATES: [Column; 4] = [
    Column { title: "TEMPLATE", priority: 0, right: false },
    Column { title: "STATE", priority: 0, right: false },
    Column { title: "SINCE", priority: 2, right: true },
    Column { title: "FILE", priority: 1, right: false },
];

/// A row, and lines that belong below it.
struct Row {
    cells: Vec<Cell>,
    below: Vec<String>,
}

fn jobs(page: &mut Page, jobs: &[JobStatus], now: SystemTime) {
    let rows: Vec<Row> = jobs
        .iter()
        .map(|job| {
            let (exit, health) = (job.last_exit.as_ref(), job.health.as_ref());
            let cells = vec![
                Cell::normal(job.name.as_str()),
                state(job),
                Cell::normal(job.pid.map(|pid| pid.to_string()).unwrap_or_default()),
                Cell::normal(since(&job.since, now)),
                restarts(job.restarts),
                exit.map_or_else(Cell::none, |exit| last_exit(exit, now)),
                health.map_or_else(Cell::none, |health| checked(health, now)),
                job.service.as_ref().map_or_else(Cell::none, service),
            ];
            // Failures that do not count yet are the reason why nothing is known.
            let open = health.filter(|health| health.status != Health::Healthy);
            Row { cells, below: open.map(|open| tail(&open.output)).unwrap_or_default() }
        })
        .collect();
    page.table(&JOBS, &rows);
}

fn state(job: &JobStatus) -> Cell {
    let tone = match job.state {
        JobState::Running => Tone::Good,
        JobState::Backoff | JobState::Draining | JobState::Stopping => Tone::Warning,
        JobState::Waiting | JobState::Idle | JobState::Completed => Tone::Quiet,
    };
    let state = job.state.as_str();
    match &job.waiting_for {
        Some(event) => Cell::new(format!("{state} for {event}"), tone),
        None => Cell::new(state, tone),
    }
}

fn restarts(count: u64) -> Cell {
    let tone = if count == 0 { Tone::Quiet } else { Tone::Normal };
    Cell::new(count.to_string(), tone)
}

fn last_exit(exit: &LastExit, now: SystemTime) -> Cell {
    let ago = since(&exit.at, now);
    match (exit.code, &exit.signal) {
        (Some(0), _) => Cell::new(format!("ok, {ago} ago"), Tone::Quiet),
        (Some(code), _) => Cell::new(format!("code {code}, {ago} ago"), Tone::Warning),
        (None, Some(signal)) => Cell::new(format!("{signal}, {ago} ago"), Tone::Warning),
        (None, None) => Cell::new(format!("not started, {ago} ago"), Tone::Bad),
    }
}

fn checked(health: &HealthStatus, now: SystemTime) -> Cell {
    let tone = match health.status {
        Health::Unknown => Tone::Quiet,
        Health::Healthy => Tone::Good,
        Health::Unhealthy => Tone::Bad,
    };
    match health.status {
        Health::Unknown => Cell::new("unknown", tone),
        known => Cell::new(format!("{} {}", known.as_str(), since(&health.since, now)), tone),
    }
}

fn service(service: &ServiceStatus) -> Cell {
    let at = endpoint(&service.address, service.port);
    if service.registered {
        Cell::normal(format!("{} {at}", service.name))
    } else {
        Cell::new(format!("{} {at} (not registered)", service.name), Tone::Warning)
    }
}

fn endpoint(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The last lines of an output that say something.
fn tail(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(OUTPUT);
    lines.into_iter().skip(skipped).map(str::to_owned).collect()
}

fn watches(page: &mut Page, watches: &[WatchStatus]) {
    let mut rows = Vec::new();
    for watch in watches {
        let mut what = match (&watch.key, &watch.key_prefix) {
            (Some(key), _) => format!("key {key}"),
            (None, Some(prefix)) => format!("keys {prefix}…"),
            (None, None) => watch.service.clone(),
        };
        let details = [("tag", &watch.tag), ("dc", &watch.dc)];
        for (name, value) in details.into_iter().filter_map(|(n, v)| Some((n, v.as_ref()?))) {
            let _ = write!(what, " {name}={value}");
        }
        let mut head = [Cell::normal(watch.name.as_str()), Cell::normal(what)];
        let mut row = |instance: Cell| {
            let [name, service] = std::mem::replace(&mut head, [Cell::none(), Cell::none()]);
            rows.push(Row { cells: vec![name, service, instance], below: Vec::new() });
        };
        for instance in watch.instances.iter().take(INSTANCES) {
            let at = endpoint(&instance.address, instance.port);
            row(Cell::normal(format!("{at}  {}", instance.id)));
        }
        for key in watch.keys.iter().take(INSTANCES) {
            row(Cell::normal(key.as_str()));
        }
        match watch.instances.len().max(watch.keys.len()) {
            0 => row(Cell::new("none", Tone::Warning)),
            all if all > INSTANCES => {
                row(Cell::new(format!("and {} more", all - INSTANCES), Tone::Quiet));
            }
            _ => {}
        }
    }
    page.table(&WATCHES, &rows);
}

fn elections(page: &mut Page, elections: &[ElectionStatus], now: SystemTime) {
    let row = |election: &ElectionStatus| {
        let leads = election.state == ElectionState::Leading;
        let tone = match election.state {
            ElectionState::Leading => Tone::Good,
            ElectionState::Leaving => Tone::Warning,
            ElectionState::Following | ElectionState::Out => Tone::Quiet,
        };
        let leader = match &election.leader {
            Some(leader) => Cell::normal(leader.as_str()),
            None => Cell::new("nobody", Tone::Warning),
        };
        // Who follows does not advertise.
        let advertised = election.service.as_ref().filter(|_| leads);
        let cells = vec![
            Cell::normal(election.name.as_str()),
            Cell::new(election.state.as_str(), tone),
            Cell::normal(since(&election.since, now)),
            leader,
            Cell::normal(election.token.map(|token| token.to_string()).unwrap_or_default()),
            advertised.map_or_else(Cell::none, service),
        ];
        Row { cells, below: Vec::new() }
    };
    page.table(&ELECTIONS, &elections.iter().map(row).collect::<Vec<_>>());
}

fn templates(page: &mut Page, templates: &[TemplateStatus], now: SystemTime) {
    let row = |template: &TemplateStatus| {
        let tone = match template.state {
            TemplateState::Current => Tone::Good,
            TemplateState::Waiting => Tone::Warning,
            TemplateState::Failed => Tone::Bad,
        };
        let missing = template.waiting_for.as_ref().map(|what| format!("waits: {what}"));
        let since = template.since.as_ref().map(|at| since(at, now)).unwrap_or_default();
        let cells = vec![
            Cell::normal(template.name.as_str()),
            Cell::new(template.state.as_str(), tone),
            Cell::normal(since),
            Cell::normal(template.destination.as_str()),
        ];
        let said = template.failure.iter().chain(&missing);
        Row { cells, below: said.flat_map(|words| tail(words)).collect() }
    };
    page.table(&TEMPLATES, &templates.iter().map(row).collect::<Vec<_>>());
}

struct Page {
    text: String,
    width: Option<usize>,
    style: Style,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn table(&mut self, columns: &[Column], rows: &[Row]) {
        let cells = |column: usize| rows.iter().filter_map(move |row| row.cells.get(column));
        let widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let widest = cells(index).map(|cell| width_of(&clean(&cell.text))).max();
                // A column that says nothing is left out.
                widest.filter(|widest| *widest > 0).map_or(0, |w| w.max(column.title.len()))
            })
            .collect();
        let shown = self.fitting(columns, &widths);
        let titles = columns.iter().map(|column| Cell::new(column.title, Tone::Quiet)).collect();
        self.row(columns, &widths, &shown, titles);
        for row in rows {
            self.row(columns, &widths, &shown, row.cells.clone());
            for line in &row.below {
                self.line(&[Cell::new("  | ", Tone::Bad), Cell::normal(line.as_str())]);
            }
        }
    }

    /// Which columns there is room for.
    fn fitting(&self, columns: &[Column], widths: &[usize]) -> Vec<bool> {
        let mut lowest = u8::MAX;
        loop {
            let shown: Vec<bool> = columns
                .iter()
                .zip(widths)
                .map(|(column, width)| *width > 0 && column.priority <= lowest)
                .collect();
            let used: usize = widths
                .iter()
                .zip(&shown)
                .filter_map(|(width, shown)| shown.then_some(width + GAP))
                .sum();
            let fits = self.width.is_none_or(|width| used.saturating_sub(GAP) <= width);
            let left = columns.iter().map(|column| column.priority).filter(|p| *p < lowest).max();
            match left {
                Some(priority) if !fits => lowest = priority,
                _ => return shown,
            }
        }
    }

    fn row(&mut self, columns: &[Column], widths: &[usize], shown: &[bool], cells: Vec<Cell>) {
        let mut line = Vec::new();
        // What would pad the end of a line is not written.
        let mut pending = 0;
        for (((column, width), shown), cell) in columns.iter().zip(widths).zip(shown).zip(cells) {
            if !shown {
                continue;
            }
            let missing = width.saturating_sub(width_of(&clean(&cell.text)));
            let (before, after) = if column.right { (missing, 0) } else { (0, missing) };
            line.push(Cell::normal(" ".repeat(pending + before)));
            line.push(cell);
            pending = after + GAP;
        }
        self.line(&line);
    }

    /// Writes a line, cut to the width, without blanks at its end.
    fn line(&mut self, cells: &[Cell]) {
        let cells: Vec<(String, Tone)> =
            cells.iter().map(|cell| (clean(&cell.text), cell.tone)).collect();
        let length: usize = cells.iter().map(|(text, _)| width_of(text)).sum();
        let mut room = match self.width {
            Some(width) if length > width => width.saturating_sub(1),
            _ => usize::MAX,
        };
        let cut = room != usize::MAX;
        let mut pending = String::new();
        for (text, tone) in cells {
            let (kept, used) = fit(&text, room);
            // Nothing stands behind what did not fit.
            room = if kept.len() < text.len() { 0 } else { room - used };
            if kept.trim().is_empty() {
                pending.push_str(kept);
                continue;
            }
            self.text.push_str(&std::mem::take(&mut pending));
            self.paint(kept.trim_end(), tone);
            pending.extend(kept.chars().skip(kept.trim_end().chars().count()));
        }
        if cut {
            self.text.push_str(&pending);
            self.text.push('…');
        }
        self.text.push('\n');
    }

    fn paint(&mut self, text: &str, tone: Tone) {
        let code = match (self.style, tone) {
            (Style::Plain, _) | (_, Tone::Normal) => {
                self.text.push_str(text);
                return;
            }
            (_, Tone::Title) => "1",
            (_, Tone::Quiet) => "2",
            (_, Tone::Good) => "32",
            (_, Tone::Warning) => "33",
            (_, Tone::Bad) => "31",
        };
        let _ = write!(self.text, "\x1b[{code}m{text}\x1b[0m");
    }
}

/// Text that does nothing to a terminal: what a check wrote may be anything. Its colours are
/// left out, a tab is a blank, another control character is `?`.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\x1b' if chars.next_if_eq(&'[').is_some() => {
                while chars.next_if(|char| ('\x20'..='\x3f').contains(char)).is_some() {}
                chars.next_if(|char| ('\x40'..='\x7e').contains(char));
            }
            '\t' => clean.push(' '),
            _ if char.is_control() || moves(char) => clean.push('?'),
            _ => clean.push(char),
        }
    }
    clean
}

/// Whether a character is none, but says where the next ones go: in which direction, or to
/// another line.
fn moves(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[path = "table/tests.rs"]
mod tests;
