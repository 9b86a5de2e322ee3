//! Tries each behaviour with each registry and says how it went.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::registry::{Kind, Registry, Scene};

/// At once; nearly all of them wait for time to pass.
const LANES: usize = 24;

/// Longer than any of them takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

/// Something that every registry does.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Scene) -> Pin<Box<dyn Future<Output = ()>>>,
}

macro_rules! behaviours {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$($crate::runner::Behaviour {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |scene| Box::pin($crate::$module::$name(scene)),
        }),*]
    };
}
pub(crate) use behaviours;

/// One behaviour of one registry.
#[derive(Clone, Copy)]
struct Trial {
    kind: Kind,
    behaviour: &'static Behaviour,
}

impl Trial {
    fn name(self) -> String {
        format!("{}::{}", self.kind.name(), self.behaviour.name)
    }
}

/// What the command line asks for, in the words of Rust's own test programs.
struct Wanted {
    filters: Vec<String>,
    exact: bool,
    list: bool,
}

impl Wanted {
    fn read() -> Wanted {
        let mut wanted = Wanted { filters: Vec::new(), exact: false, list: false };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--exact" => wanted.exact = true,
                "--list" => wanted.list = true,
                "--test-threads" | "--format" | "--color" | "-Z" => drop(args.next()),
                flag if flag.starts_with('-') => {}
                filter => wanted.filters.push(filter.to_owned()),
            }
        }
        wanted
    }

    fn has(&self, trial: Trial) -> bool {
        let name = trial.name();
        let fits =
            |filter: &String| if self.exact { name == *filter } else { name.contains(filter) };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

pub(crate) fn run(side_by_side: &'static [Behaviour], alone: &'static [Behaviour]) -> ExitCode {
    let wanted = Wanted::read();
    let trials = |behaviours: &'static [Behaviour]| -> Vec<Trial> {
        let of = |behaviour| Kind::ALL.map(|kind| Trial { kind, behaviour });
        behaviours.iter().flat_map(of).filter(|trial| wanted.has(*trial)).collect()
    };
    let (side_by_side, alone) = (trials(side_by_side), trials(alone));
    if wanted.list {
        for trial in side_by_side.iter().chain(&alone) {
            println!("{}: test", trial.name());
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} behaviours", side_by_side.len() + alone.len());
    let begun = Instant::now();
    let failed = Arc::new(Mutex::new(Vec::new()));
    // All registries start at the same time.
    let kinds = Kind::ALL
        .into_iter()
        .filter(|kind| side_by_side.iter().chain(&alone).any(|trial| trial.kind == *kind));
    let starting: Vec<_> = kinds.map(|kind| (kind, thread::spawn(move || kind.start()))).collect();
    let registries: Vec<(Kind, Arc<dyn Registry>)> =
        starting.into_iter().map(|(kind, registry)| (kind, registry.join().unwrap())).collect();
    let registry = |kind: Kind| {
        let (_, registry) = registries.iter().find(|(other, _)| *other == kind).unwrap();
        Arc::clone(registry)
    };

    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(trial) = side_by_side.get(next.fetch_add(1, Ordering::Relaxed)) {
                    attempt(*trial, registry(trial.kind), &failed);
                }
            });
        }
    });
    thread::scope(|scope| {
        for kind in Kind::ALL {
            let (alone, failed, registry) = (&alone, &failed, &registry);
            scope.spawn(move || {
                for trial in alone.iter().filter(|trial| trial.kind == kind) {
                    attempt(*trial, registry(kind), failed);
                }
            });
        }
    });
    drop(registries);

    let failed = failed.lock().unwrap();
    let count = side_by_side.len() + alone.len();
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\nbehaviours result: {result}. {} passed; {} failed; finished in {:.2?}\n",
        count - failed.len(),
        failed.len(),
        begun.elapsed()
    );
    for name in failed.iter() {
        println!("    {name}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn attempt(trial: Trial, registry: Arc<dyn Registry>, failed: &Mutex<Vec<String>>) {
    let name = trial.name();
    let scene = Scene::new(trial.kind, registry, trial.behaviour.name);
    let notes = scene.notes();
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let behaviour = tokio::time::timeout(DEADLINE, (trial.behaviour.run)(scene));
            assert!(behaviour.await.is_ok(), "{name} does not end");
        });
        runtime.shutdown_background();
    }));
    let notes = notes.lock().unwrap().join("; ");
    let notes = if notes.is_empty() { notes } else { format!(" ({notes})") };
    match outcome {
        Ok(()) => println!("test {name} ... ok {:.1?}{notes}", begun.elapsed()),
        // The panic has told why.
        Err(_) => {
            println!("test {name} ... FAILED{notes}");
            failed.lock().unwrap().push(name);
        }
    }
}
