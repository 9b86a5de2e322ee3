//! What has happened, in the order of the machine's clock, and whether it may have.

use std::collections::BTreeMap;
use std::fmt;

/// Nanoseconds since 1970, as `date +%s%N` says.
pub(crate) type Time = u64;

/// For a program that has just been continued: until a job of it can have told of its demotion.
const AWAKENING: Time = 3_000_000_000;

/// Something that happened to a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Time,
    pub(crate) who: String,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Its job says so: it leads with this token.
    Elected(u64),
    /// Its job says so.
    Demoted,
    /// Its job has written with this token.
    Wrote(u64),
    /// Its job wanted to, and a newer token had been seen.
    Refused(u64),
    /// It was killed or has ended: whatever it believed is over.
    Ended,
    /// It stands still from now on.
    Stopped,
    /// It goes on.
    Continued,
}

impl Event {
    /// `TIME WHO WORD [TOKEN]`
    pub(crate) fn parse(line: &str) -> Option<Event> {
        let mut words = line.split_whitespace();
        let (at, who, word) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let mut token = || words.next()?.parse().ok();
        let what = match word {
            "elected" => What::Elected(token()?),
            "demoted" => What::Demoted,
            "wrote" => What::Wrote(token()?),
            "refused" => What::Refused(token()?),
            _ => return None,
        };
        Some(Event { at, who: who.to_owned(), what })
    }
}

/// A time in which a candidate believed to lead and could act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reign {
    who: String,
    token: u64,
    from: Time,
    /// `None`: it goes on.
    to: Option<Time>,
}

impl fmt::Display for Reign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with token {} from {} to {:?}", self.who, self.token, self.from, self.to)
    }
}

/// Everything, sorted by time.
pub(crate) struct History(Vec<Event>);

impl History {
    pub(crate) fn new(mut events: Vec<Event>) -> Self {
        events.sort_by_key(|event| event.at);
        Self(events)
    }

    /// Who leads at the end, by their own belief.
    pub(crate) fn leaders(&self) -> Vec<&str> {
        let mut leads: BTreeMap<&str, bool> = BTreeMap::new();
        for event in &self.0 {
            match event.what {
                What::Elected(_) => drop(leads.insert(&event.who, true)),
                What::Demoted | What::Ended => drop(leads.insert(&event.who, false)),
                _ => {}
            }
        }
        leads.into_iter().filter_map(|(who, leads)| leads.then_some(who)).collect()
    }

    /// How often a write was refused.
    pub(crate) fn refusals(&self) -> usize {
        self.0.iter().filter(|event| matches!(event.what, What::Refused(_))).count()
    }

    /// When somebody was first elected after that time.
    pub(crate) fn elected_since(&self, begun: Time) -> Option<Time> {
        let elected = |event: &&Event| event.at >= begun && matches!(event.what, What::Elected(_));
        self.0.iter().find(elected).map(|event| event.at)
    }

    /// When somebody was last demoted between these times.
    pub(crate) fn demoted_between(&self, from: Time, to: Time) -> Option<Time> {
        let demoted =
            |event: &&Event| (from..=to).contains(&event.at) && event.what == What::Demoted;
        self.0.iter().rfind(demoted).map(|event| event.at)
    }

    /// The times of leadership of those who were alive and not stopped.
    fn reigns(&self) -> Vec<Reign> {
        let mut reigns: Vec<Reign> = Vec::new();
        for event in &self.0 {
            let own = reigns.iter_mut().rev().find(|reign| reign.who == event.who);
            match (event.what, own) {
                (What::Elected(token), _) => {
                    let who = event.who.clone();
                    reigns.push(Reign { who, token, from: event.at, to: None });
                }
                (What::Demoted | What::Ended | What::Stopped, Some(own)) if own.to.is_none() => {
                    own.to = Some(event.at);
                }
                (What::Continued, Some(own)) if self.leads_after(event, own) => {
                    let from = event.at + AWAKENING;
                    let own = Reign { from, to: None, ..own.clone() };
                    reigns.push(own);
                }
                _ => {}
            }
        }
        reigns.retain(|reign| reign.to.is_none_or(|to| reign.from < to));
        reigns
    }

    /// Whether the leadership that a stop has interrupted still stands when it goes on.
    fn leads_after(&self, continued: &Event, own: &Reign) -> bool {
        let between = |event: &&Event| {
            event.who == own.who && own.to <= Some(event.at) && event.at <= continued.at
        };
        let mut between = self.0.iter().filter(between);
        own.to.is_some() && !between.any(|e| matches!(e.what, What::Demoted | What::Ended))
    }

    /// Nobody leads beside another, tokens grow, and each write has the newest.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut newest = 0;
        for event in &self.0 {
            if let What::Elected(token) = event.what {
                if token <= newest {
                    return Err(format!("{event:?} after token {newest}"));
                }
                newest = token;
            }
        }
        let reigns = self.reigns();
        for (index, one) in reigns.iter().enumerate() {
            for other in &reigns[index + 1..] {
                let apart = |a: &Reign, b: &Reign| a.to.is_some_and(|to| to <= b.from);
                if one.who != other.who && !apart(one, other) && !apart(other, one) {
                    return Err(format!("two leaders: {one}, and {other}"));
                }
            }
        }
        self.check_writes()
    }

    fn check_writes(&self) -> Result<(), String> {
        let mut newest = 0;
        let mut writers: BTreeMap<u64, &str> = BTreeMap::new();
        for event in &self.0 {
            let token = match event.what {
                What::Wrote(token) if token < newest => {
                    return Err(format!("{event:?} after a write with token {newest}"));
                }
                What::Wrote(token) => {
                    newest = token;
                    token
                }
                // Only who has slept may be mistaken.
                What::Refused(token) if !self.has_slept(event, token) => {
                    return Err(format!("{event:?}, and it was awake all the time"));
                }
                What::Refused(token) => token,
                _ => continue,
            };
            if *writers.entry(token).or_insert(&event.who) != event.who {
                return Err(format!("{event:?}, the token of {}", writers[&token]));
            }
        }
        Ok(())
    }

    fn has_slept(&self, refused: &Event, token: u64) -> bool {
        let own = self.0.iter().filter(|event| event.who == refused.who && event.at <= refused.at);
        own.skip_while(|event| event.what != What::Elected(token))
            .any(|event| event.what == What::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::What::*;
    use super::*;

    const S: Time = 1_000_000_000;

    fn check(events: &[(Time, &str, What)]) -> Result<(), String> {
        history(events).check()
    }

    fn history(events: &[(Time, &str, What)]) -> History {
        let event = |&(at, who, what): &_| Event { at: at * S, who: String::from(who), what };
        History::new(events.iter().map(event).collect())
    }

    fn fails(part: &str, events: &[(Time, &str, What)]) {
        let error = check(events).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_proper_history_passes() {
        let events = [
            (1, "a", Elected(5)),
            (2, "a", Wrote(5)),
            (3, "a", Demoted),
            (4, "b", Elected(7)),
            (5, "b", Ended),
            (6, "c", Elected(8)),
            (7, "c", Stopped),
            (9, "a", Elected(9)),
            (9, "a", Wrote(9)),
            (10, "c", Refused(8)),
            (11, "c", Continued),
            (12, "c", Demoted),
        ];
        assert_eq!(check(&events), Ok(()));
        assert_eq!(history(&events).leaders(), ["a"]);
        assert_eq!(history(&events).refusals(), 1);
    }

    #[test]
    fn two_leaders_are_found() {
        fails("two leaders", &[(1, "a", Elected(1)), (2, "b", Elected(2))]);
        fails("two leaders", &[(1, "a", Elected(1)), (2, "b", Elected(2)), (3, "a", Demoted)]);
        let before = [(1, "a", Elected(1)), (2, "a", Stopped), (3, "b", Elected(2))];
        assert_eq!(check(&before), Ok(()));
        let slow = [&before[..], &[(4, "a", Continued), (9, "a", Demoted)]].concat();
        fails("two leaders", &slow);
        let never = [&before[..], &[(4, "a", Continued)]].concat();
        fails("two leaders", &never);
    }

    #[test]
    fn a_leader_that_sleeps_for_a_moment_goes_on() {
        let nap = [(1, "a", Elected(1)), (2, "a", Stopped), (3, "a", Continued)];
        assert_eq!(check(&nap), Ok(()));
        assert_eq!(history(&nap).leaders(), ["a"]);
        fails("two leaders", &[&nap[..], &[(8, "b", Elected(2))]].concat());
    }

    #[test]
    fn tokens_must_grow_and_belong_to_one() {
        let twice = [(1, "a", Elected(2)), (2, "a", Demoted), (3, "b", Elected(2))];
        fails("after token 2", &twice);
        fails("the token of a", &[(1, "a", Wrote(3)), (2, "b", Wrote(3))]);
        fails("after a write with token 4", &[(1, "a", Wrote(4)), (2, "b", Wrote(3))]);
        fails("awake", &[(1, "a", Elected(1)), (2, "a", Refused(1))]);
    }

    #[test]
    fn the_next_election_and_the_demotion_before_it_are_found() {
        let cut = [(1, "a", Elected(1)), (4, "a", Demoted), (5, "b", Elected(2))];
        let history = history(&cut);
        assert_eq!(history.elected_since(2 * S), Some(5 * S));
        assert_eq!(history.elected_since(6 * S), None);
        assert_eq!(history.demoted_between(2 * S, 5 * S), Some(4 * S));
        assert_eq!(history.demoted_between(5 * S, 6 * S), None);
    }

    #[test]
    fn lines_are_read() {
        let event = Event { at: 12, who: "one".into(), what: Elected(3) };
        assert_eq!(Event::parse("12 one elected 3"), Some(event));
        assert_eq!(Event::parse("12 one elected"), None);
    }
}
