//! What happens in a round, and how long nobody led for it.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use testkit::{Server, wait_until};

use crate::chance::Chance;
use crate::field::{Field, TTL, now};

/// A cluster has a leader again by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loose: what a loaded machine may take. In calm it is a few milliseconds.
const GRACEFUL: Duration = Duration::from_secs(5);

const SHORTEST: Duration = Duration::from_millis(100);

/// What befalls somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// SIGKILL for the program and all that it runs, and a new start later.
    Kill,
    /// SIGSTOP for the program, and SIGCONT later; its writer goes on.
    Pause,
    /// Nothing passes between the program and the registry.
    Partition,
    /// SIGTERM, and a new start later.
    Leave,
    /// The registry's leader is killed, and started again later.
    Registry,
}

const KINDS: [Kind; 5] = [Kind::Kill, Kind::Pause, Kind::Partition, Kind::Leave, Kind::Registry];

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Leader,
    /// One of those who do not lead: the first or the second.
    Follower(usize),
}

/// One thing that happens, for a time.
#[derive(Debug)]
pub(crate) struct Round {
    kind: Kind,
    victim: Victim,
    lasts: Duration,
}

/// The rounds to come, in shuffled decks: in a few of them everything has happened.
#[derive(Default)]
pub(crate) struct Rounds {
    deck: Vec<Kind>,
    decks: usize,
}

impl Rounds {
    /// In the first deck everything befalls the leader, and lasts.
    pub(crate) fn draw(&mut self, chance: &mut Chance) -> Round {
        if self.deck.is_empty() {
            self.deck.extend(KINDS);
            self.decks += 1;
        }
        let kind = self.deck.swap_remove(chance.below(self.deck.len()));
        let (victim, length) = (chance.below(5), chance.below(3));
        let victim = match victim {
            follower @ 0..2 if self.decks > 1 && kind != Kind::Leave => Victim::Follower(follower),
            _ => Victim::Leader,
        };
        let brief = length == 0 && self.decks > 1;
        let lasts = match kind {
            // Around the moment at which leadership is lost.
            Kind::Pause | Kind::Partition if brief => chance.time(SHORTEST, TTL),
            // Beyond that at which others are elected: Consul takes up to twice the time to live,
            // and there is the lock delay.
            Kind::Pause | Kind::Partition => chance.time(TTL * 2, TTL * 3),
            Kind::Kill | Kind::Leave | Kind::Registry => chance.time(SHORTEST, TTL),
        };
        Round { kind, victim, lasts }
    }
}

impl Round {
    /// Lets it happen, and answers for how long nobody led, if that was so.
    pub(crate) fn play(&self, field: &mut Field) -> Option<Duration> {
        let leader = field.await_leader();
        let victim = match self.victim {
            Victim::Leader => leader,
            Victim::Follower(which) => (leader + 1 + which) % field.candidates.len(),
        };
        let begun = now();
        match self.kind {
            Kind::Kill => {
                field.kill(victim);
                thread::sleep(self.lasts);
                field.begin(victim);
            }
            Kind::Pause => {
                field.stop(victim);
                thread::sleep(self.lasts);
                field.resume(victim);
            }
            Kind::Partition => {
                field.cut(victim);
                thread::sleep(self.lasts);
                field.heal(victim);
            }
            Kind::Leave => {
                field.dismiss(victim);
                thread::sleep(self.lasts);
                field.begin(victim);
            }
            Kind::Registry => {
                let server = field.servers.iter().position(Server::leads).expect("a leader");
                field.servers[server].kill();
                thread::sleep(self.lasts);
                field.servers[server].restart();
                for server in &mut field.servers {
                    server.await_ready();
                }
            }
        }
        let gone = self.victim == Victim::Leader && matches!(self.kind, Kind::Kill | Kind::Leave);
        if gone {
            wait_until("another is elected", PATIENCE, || {
                thread::sleep(Duration::from_millis(20));
                field.history().elected_since(begun).ok_or_else(|| field.output())
            });
        }
        field.await_leader();
        let history = field.history();
        let next = history.elected_since(begun)?;
        // Who is cut off from the registry, or it from them, leads until it says otherwise.
        let end = match self.kind {
            Kind::Partition | Kind::Registry => history.demoted_between(begun, next),
            Kind::Kill | Kind::Pause | Kind::Leave => None,
        };
        Some(Duration::from_nanos(next - end.unwrap_or(begun)))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?} for {:?}", self.kind, self.victim, self.lasts)
    }
}

/// For how long nobody led, by what had happened.
#[derive(Default)]
pub(crate) struct Vacancies(BTreeMap<Kind, Vec<Duration>>);

impl Vacancies {
    pub(crate) fn add(&mut self, round: &Round, vacancy: Option<Duration>) {
        self.0.entry(round.kind).or_default().extend(vacancy);
    }

    /// An orderly departure is followed at once.
    pub(crate) fn check(&self) {
        let slow = self.0.get(&Kind::Leave).and_then(|all| all.iter().max());
        assert!(slow.is_none_or(|slow| *slow < GRACEFUL), "nobody led for {slow:?} after a stop");
    }
}

impl fmt::Display for Vacancies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>9} {:>9} {:>9}", "kind", "elections", "median", "worst")?;
        for (kind, times) in &self.0 {
            let mut times = times.clone();
            times.sort_unstable();
            let name = format!("{kind:?}");
            match (times.get(times.len() / 2), times.last()) {
                (Some(median), Some(worst)) => {
                    let (median, worst) = (median.as_secs_f32(), worst.as_secs_f32());
                    let count = times.len();
                    writeln!(f, "{name:<10} {count:>9} {median:>7.2} s {worst:>7.2} s")?;
                }
                _ => writeln!(f, "{name:<10} {:>9}", 0)?,
            }
        }
        Ok(())
    }
}
