//! Not believing a catalog that has lost its memory: fewer instances than there must be.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// Passing instances by service, of the services that have a minimum.
pub(crate) type Counts = BTreeMap<String, usize>;

/// For ever, for a clock.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Refuses texts in which a service has fewer instances than its minimum and had as many in the
/// text that stands, for a time. Pure: the clock is a parameter.
pub(crate) struct Shrinkage {
    minimum: Counts,
    patience: Duration,
    /// Of the text that stands.
    standing: Counts,
    /// What is too few in the newest text.
    short: BTreeMap<String, Short>,
    /// Until when it is known whether the catalog has answered; `None`: nothing is short.
    known: Option<Instant>,
    /// What was said about it.
    words: String,
}

struct Short {
    count: usize,
    /// When it is believed.
    until: Instant,
    told: bool,
}

impl Shrinkage {
    pub(crate) fn new(minimum: Counts, patience: Duration) -> Shrinkage {
        let patience = patience.min(LONGEST);
        let (standing, short, words) = (Counts::new(), BTreeMap::new(), String::new());
        Shrinkage { minimum, patience, standing, short, known: None, words }
    }

    /// The newest text was made from so many. Returns what is enough again, in words, if it was
    /// told that it was not.
    pub(crate) fn seen(&mut self, counts: &Counts, now: Instant) -> Option<String> {
        let until = now.checked_add(self.patience).unwrap_or(now);
        let mut enough = Vec::new();
        for (service, &least) in &self.minimum {
            let (count, had) = (of(counts, service), of(&self.standing, service));
            if count < least && had >= least {
                let short = Short { count, until, told: false };
                self.short.entry(service.clone()).or_insert(short).count = count;
            } else if self.short.remove(service).is_some_and(|short| short.told) && count >= least {
                enough.push(format!("service {service:?} has {} again", instances(count)));
            }
        }
        (!enough.is_empty()).then(|| enough.join(", "))
    }

    /// The text made from so many stands from now on.
    pub(crate) fn stands(&mut self, counts: &Counts) {
        self.standing.clone_from(counts);
    }

    /// What the text that stands was made from.
    pub(crate) fn standing(&self) -> &Counts {
        &self.standing
    }

    /// The text that stands can be made from so many, too.
    pub(crate) fn stands_also(&mut self, counts: &Counts) {
        for (service, &count) in counts {
            let standing = self.standing.entry(service.clone()).or_default();
            *standing = count.max(*standing);
        }
    }

    /// Patience is for a catalog that answers: time in which it does not is no reason to believe it,
    /// and whoever has lost his place there can only take it again afterwards.
    pub(crate) fn elapse(&mut self, now: Instant, catalog_answers: bool) {
        if self.short.is_empty() {
            self.known = None;
            return;
        }
        let known = self.known.replace(now).unwrap_or(now);
        if !catalog_answers {
            let lost = now.saturating_duration_since(known);
            for short in self.short.values_mut() {
                short.until = short.until.checked_add(lost).unwrap_or(short.until);
            }
        }
    }

    /// Until when the newest text is refused; `None`: it is not.
    pub(crate) fn refused_until(&self) -> Option<Instant> {
        self.short.values().map(|short| short.until).max()
    }

    /// Why the newest text is refused: in the same words as long as the same services are short.
    pub(crate) fn refusal(&mut self) -> String {
        if self.short.values().any(|short| !short.told) {
            let (short, patience) = (self.in_words(), in_words(self.patience));
            self.words = format!("{short}: refused for {patience}, unless they come back before");
        }
        for short in self.short.values_mut() {
            short.told = true;
        }
        self.words.clone()
    }

    /// What is to be said when the newest text is rendered all the same.
    pub(crate) fn surrender(&self) -> String {
        format!("{}, for {} by now: rendered so", self.in_words(), in_words(self.patience))
    }

    fn in_words(&self) -> String {
        let one = |(service, short): (&String, &Short)| {
            let least = of(&self.minimum, service);
            format!("service {service:?} has {}, its minimum is {least}", instances(short.count))
        };
        self.short.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn of(counts: &Counts, service: &str) -> usize {
    counts.get(service).copied().unwrap_or(0)
}

fn instances(count: usize) -> String {
    format!("{count} passing instance{}", if count == 1 { "" } else { "s" })
}

/// `90s`, `5m`, `1h`.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{duration:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn counts(of: &[(&str, usize)]) -> Counts {
        of.iter().map(|(service, count)| ((*service).to_owned(), *count)).collect()
    }

    fn standing(db: usize) -> (Shrinkage, Instant) {
        let mut shrinkage = Shrinkage::new(counts(&[("db", 3)]), 5 * MINUTE);
        let now = Instant::now();
        shrinkage.seen(&counts(&[("db", db)]), now);
        shrinkage.stands(&counts(&[("db", db)]));
        (shrinkage, now)
    }

    #[test]
    fn the_first_text_is_never_refused() {
        let mut shrinkage = Shrinkage::new(counts(&[("db", 3)]), MINUTE);
        shrinkage.seen(&counts(&[]), Instant::now());
        assert_eq!(shrinkage.refused_until(), None);
    }

    #[test]
    fn fewer_than_the_minimum_are_refused_from_when_they_began_to_be() {
        let (mut shrinkage, now) = standing(4);
        shrinkage.seen(&counts(&[("db", 3)]), now);
        assert_eq!(shrinkage.refused_until(), None);
        shrinkage.seen(&counts(&[("db", 2)]), now);
        assert_eq!(shrinkage.refused_until(), Some(now + 5 * MINUTE));
        assert_eq!(
            shrinkage.refusal(),
            "service \"db\" has 2 passing instances, its minimum is 3: refused for 5m, unless they \
             come back before"
        );
        // A service that is not asked about has none. It goes on from when it began.
        shrinkage.seen(&counts(&[]), now + MINUTE);
        assert_eq!(shrinkage.refused_until(), Some(now + 5 * MINUTE));
        assert!(shrinkage.refusal().contains(" 2 "), "the same words");
        assert_eq!(
            shrinkage.surrender(),
            "service \"db\" has 0 passing instances, its minimum is 3, for 5m by now: rendered so"
        );
        shrinkage.stands(&counts(&[]));
        shrinkage.seen(&counts(&[]), now + 6 * MINUTE);
        assert_eq!(shrinkage.refused_until(), None);
    }

    #[test]
    fn those_that_come_back_are_told_if_their_absence_was() {
        let (mut shrinkage, now) = standing(3);
        shrinkage.seen(&counts(&[("db", 1)]), now);
        assert_eq!(shrinkage.seen(&counts(&[("db", 3)]), now), None);
        shrinkage.seen(&counts(&[("db", 1)]), now);
        assert!(shrinkage.refusal().contains("has 1 passing instance, its"));
        let again = shrinkage.seen(&counts(&[("db", 3)]), now).unwrap();
        assert_eq!(again, "service \"db\" has 3 passing instances again");
        assert_eq!(shrinkage.refused_until(), None);
    }

    #[test]
    fn less_than_what_was_less_already_is_not_refused() {
        let (mut shrinkage, now) = standing(2);
        shrinkage.seen(&counts(&[("db", 0)]), now);
        assert_eq!(shrinkage.refused_until(), None);
    }

    #[test]
    fn each_service_has_its_time_and_an_endless_one_does_not_overflow() {
        let minimum = counts(&[("a", 1), ("b", 1)]);
        let mut shrinkage = Shrinkage::new(minimum.clone(), Duration::MAX);
        let now = Instant::now();
        shrinkage.stands(&minimum);
        shrinkage.seen(&counts(&[("b", 1)]), now);
        shrinkage.seen(&counts(&[]), now + MINUTE);
        assert_eq!(shrinkage.refused_until(), Some(now + LONGEST + MINUTE));
        shrinkage.seen(&counts(&[("b", 1)]), now + MINUTE);
        assert_eq!(shrinkage.refused_until(), Some(now + LONGEST));
    }
}
