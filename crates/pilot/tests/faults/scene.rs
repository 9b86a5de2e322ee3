//! The program at work while the catalog is lost and comes back.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Program, Running, wait_until};

use crate::fault::{Fault, Manner, Told};
use crate::program::program;
use crate::registry::World;
use crate::support::{
    APP, COPROCESS, Identity, PATIENCE, await_lines, await_more_lines, last_process, lines, output,
};

/// Who is there besides.
const OTHERS: &str = "{{ range service \"other\" }}{{ .ID }} {{ end }}";

const INTERVAL: u32 = 1;

/// Shorter than every outage: it runs out meanwhile.
const TTL: u32 = 4;

/// How long the catalog is lost: longer than the TTL. If it is silent, longer than any request waits
/// for it, so that there are several; if it is there and refuses to work, so long that this is worth
/// a line.
fn duration(fault: &Fault) -> Duration {
    let brief = fault.manner != Manner::Silent && fault.told != Told::Trouble;
    Duration::from_secs(if brief { TTL + 2 } else { 3 * TTL }.into())
}

/// When the service must be whole at the latest after the return: one heartbeat, what a loaded
/// machine may take, and, after silence, what may be left of an attempt that was begun into it:
/// the kernel repeats what it has sent after 1, 2 and 4 s, and a connection is given up after 3 s.
fn whole_again(manner: Manner) -> Duration {
    let seconds = match manner {
        Manner::Loud | Manner::Redundant => INTERVAL + 3,
        Manner::Silent => INTERVAL + 3 + 3,
    };
    Duration::from_secs(seconds.into())
}

/// It must stay whole for two heartbeats.
const SETTLED: Duration = Duration::from_secs(2 * INTERVAL as u64);

/// What each server that the program knows may be asked while the catalog is lost: some at once,
/// and so many each second. A connection counts as well as a request.
const BURST: u64 = 20;
const RATE: u64 = 6;

/// What the program's own memory may grow by, in kB: an allocator does not give all back.
const GROWTH: i64 = 512;

/// What was measured.
pub(crate) struct Report {
    /// From the return of the catalog until our service was whole and remained so.
    whole_after: Duration,
    asked: u64,
    lasted: Duration,
    grown: i64,
    warnings: usize,
}

impl Report {
    pub(crate) const HEAD: &str =
        "fault                       whole after  asked/s  memory kB  warnings";
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.asked as f64 / self.lasted.as_secs_f64();
        let after = self.whole_after.as_secs_f32();
        write!(f, "{after:>10.2} s {rate:>8.1} {:>+10} {:>9}", self.grown, self.warnings)
    }
}

/// The program at work, and what an outage must not touch.
struct Scene {
    world: World,
    run: Running,
    children: [Identity; 2],
}

/// Lets it happen and watches.
pub(crate) fn play(fault: &Fault) -> Report {
    let mut scene = Scene::start(World::start(fault.arrangement));
    let (memory, asked) = (scene.memory(), scene.world.asked());
    let struck = Instant::now();
    (fault.strike)(&mut scene.world);
    // Checks go on meanwhile.
    await_more_lines(&scene.run, "checks", 3);
    let missing = scene.endure(struck, duration(fault));
    if fault.manner == Manner::Redundant {
        assert_eq!(missing, Duration::ZERO, "gone for a while\n{}", output(&scene.run));
    }
    let asked = scene.world.asked() - asked;
    let lasted = struck.elapsed();
    (fault.mend)(&mut scene.world);
    scene.world.await_answers();
    let whole_after = scene.await_whole(whole_again(fault.manner));
    // The settled state: what is told late is told by now.
    await_more_lines(&scene.run, "checks", 2);
    let warnings = scene.check_log(fault.told);
    scene.check_children();
    let bound = (BURST + RATE * (lasted.as_secs() + 1)) * scene.world.proxies.len() as u64;
    assert!(asked <= bound, "asked {asked} times in {lasted:?}");
    let grown = scene.memory() - memory;
    assert!(grown <= GROWTH, "{grown} kB more memory than before");
    scene.world.await_one_copy();
    // The watch is not deaf.
    scene.world.put_other("other-2");
    await_lines(&scene.run, "changes", 2);
    await_lines(&scene.run, "renderings", 2);
    assert_eq!(scene.run.read("others.txt").as_deref(), Some("other-1 other-2 "));
    Report { whole_after, asked, lasted, grown, warnings }
}

impl Scene {
    fn start(world: World) -> Self {
        world.put_other("other-1");
        let (registry, address) = world.catalog();
        let config = json!({
            registry: address,
            "logging": { "format": "json" },
            "control": { "socket": "control.socket" },
            "jobs": [
                { "name": "app", "exec": "./app", "port": 8000, "interfaces": "static:127.0.0.1",
                    "tags": ["blue"],
                    "health": { "exec": "./check", "interval": INTERVAL, "ttl": TTL } },
                { "name": "helper", "exec": "./coprocess", "restarts": "unlimited" },
                { "name": "on-change", "exec": "./changed",
                    "when": { "source": "watch.other", "each": "changed" } },
                { "name": "on-rendered", "exec": "./rendered",
                    "when": { "source": "template.others", "each": "changed" } },
            ],
            "watches": [{ "name": "other", "interval": 1 }],
        });
        let program = Program::new(program());
        let mut config = config;
        config["templates"] = json!([{ "name": "others",
            "source": program.path("others.ctmpl"), "destination": program.path("others.txt") }]);
        let run = program
            .file("app.json", config.to_string())
            .file("others.ctmpl", OTHERS)
            .args(["-config", "app.json"])
            .on(&world.app())
            .script("app", APP)
            .script("coprocess", COPROCESS)
            .script("check", "echo checked >>checks")
            .script("changed", "echo changed >>changes")
            .script("rendered", "echo rendered >>renderings")
            .spawn();
        wait_until("the service is registered", PATIENCE, || {
            thread::sleep(Duration::from_millis(20));
            world.has_app().map_err(|seen| format!("{seen}\n{}", output(&run)))
        });
        await_lines(&run, "changes", 1);
        await_lines(&run, "renderings", 1);
        // The start is over, and what only a start needs has left memory.
        await_more_lines(&run, "checks", 2);
        let children = [last_process(&run, "app.pids"), last_process(&run, "coprocess.pids")];
        Self { world, run, children }
    }

    /// Waits until the outage has lasted so long. Answers for how long the registry has said
    /// meanwhile that our service is not there.
    #[track_caller]
    fn endure(&self, struck: Instant, age: Duration) -> Duration {
        let (mut missing, mut last) = (Duration::ZERO, Instant::now());
        while struck.elapsed() < age {
            thread::sleep(Duration::from_millis(50));
            if self.world.misses_app() {
                missing += last.elapsed();
            }
            last = Instant::now();
        }
        missing
    }

    /// Waits until the service is whole and stays so. Answers how long that took from when the
    /// registry has answered for good: a member that comes back may bring the others an election,
    /// in which they tell nobody anything.
    #[track_caller]
    fn await_whole(&self, deadline: Duration) -> Duration {
        let mut answering = Instant::now();
        let mut since = None;
        let whole = wait_until("the service is whole again", PATIENCE, || {
            thread::sleep(Duration::from_millis(20));
            match self.world.has_app() {
                Ok(()) => {
                    let since = *since.get_or_insert_with(Instant::now);
                    (since.elapsed() >= SETTLED).then_some(since).ok_or("not for long".to_owned())
                }
                Err(seen) => {
                    since = None;
                    if !seen.starts_with('[') {
                        answering = Instant::now();
                    }
                    Err(format!("{seen}\n{}", output(&self.run)))
                }
            }
        });
        let took = whole.saturating_duration_since(answering);
        assert!(took <= deadline, "whole only after {took:?}\n{}", output(&self.run));
        took
    }

    /// Nobody has noticed.
    #[track_caller]
    fn check_children(&self) {
        let all = output(&self.run);
        assert!(self.children.iter().all(|child| child.lives()), "{all}");
        for file in ["app.pids", "coprocess.pids", "changes", "renderings"] {
            assert_eq!(lines(&self.run, file).len(), 1, "{file}\n{all}");
        }
    }

    /// Answers how many warnings there are.
    #[track_caller]
    fn check_log(&self, told: Told) -> usize {
        let all = output(&self.run);
        let count = |part: &str| all.lines().filter(|line| line.contains(part)).count();
        let (begun, ended) = (count("does not answer"), count("answers again"));
        let warnings = count(r#""level":"warning""#);
        assert_eq!(count(r#""level":"error""#), 0, "{all}");
        assert_eq!(begun, ended, "{all}");
        match told {
            Told::Outage => assert_eq!((begun, warnings), (1, 1), "{all}"),
            // What was under way when the trouble began may have been cut: that is an outage, brief.
            Told::Trouble => {
                assert!(begun <= 1 && (1..=3 + begun).contains(&warnings), "{all}");
            }
            Told::Perhaps => assert!(begun <= 1 && warnings <= 3, "{all}"),
            Told::Nothing => assert_eq!(warnings, 0, "{all}"),
        }
        warnings
    }

    /// What the program has for itself, in kB.
    fn memory(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.run.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
