//! How far one template is: what is to be done next, when, and what its owner is told.

use std::time::Duration;

use catalog::Backoff;
use tokio::time::Instant;

use crate::{
    Event, Outcome, Template, TemplateId,
    order::{Execution, Fingerprint, Lack, Task, Text, Why, Written},
    quiescence::Quiescence,
    shrinkage::{Counts, Shrinkage},
};

/// Until a text that could not be written is tried again, should nothing change before.
const RETRIES: Backoff =
    Backoff { min: Duration::from_secs(5), max: Duration::from_secs(60), jitter: 0.0 };

/// Until a text that its owner has refused is offered again: what decides may be another by then,
/// such as a name that resolves.
const OPINIONS: Backoff =
    Backoff { min: Duration::from_secs(10), max: Duration::from_secs(60), jitter: 0.0 };

/// While a text is refused since it has too few instances, it is looked so often whether the catalog
/// answers: only that time counts.
const ATTENTION: Duration = Duration::from_secs(1);

/// Decides purely; the clock is a parameter, and [`Task`]s are carried out by others, one at a time.
pub(crate) struct Progress {
    id: TemplateId,
    name: String,
    quiescence: Quiescence,
    shrinkage: Shrinkage,
    /// What has come of the last execution.
    newest: Option<Execution>,
    /// The text that was dealt with last.
    settled: Option<(Fingerprint, Fate)>,
    step: Step,
    retry: Retry,
    /// Of the text that was refused last.
    appeal: Option<(Fingerprint, Retry)>,
    /// What was told last and is not over.
    trouble: Option<String>,
    rendered: bool,
}

/// What has become of a text.
enum Fate {
    Stands,
    Refused(String),
}

enum Step {
    Idle,
    /// Being brought to its place.
    Writing(Text),
    /// Its owner judges it.
    Judged(Text),
    /// Its owner has judged it.
    Decided(Text, Verdict),
    /// The verdict is being carried out.
    Executed(Text, Verdict),
}

enum Verdict {
    Accepted,
    Refused(String),
}

/// What is to happen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Do(Task),
    Tell(Event),
}

/// Why a file is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waits<'a> {
    Lacking(&'a [Lack]),
    Because(&'a str),
}

#[derive(Default)]
struct Retry {
    failures: u32,
    at: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(id: TemplateId, template: &Template) -> Progress {
        Progress {
            id,
            name: template.name.clone(),
            quiescence: Quiescence::new(template.wait),
            shrinkage: Shrinkage::new(template.minimum.clone(), template.shrink_after),
            newest: None,
            settled: None,
            step: Step::Idle,
            retry: Retry::default(),
            appeal: None,
            trouble: None,
            rendered: false,
        }
    }

    /// What the text that stands was made from.
    pub(crate) fn standing(&self) -> Counts {
        self.shrinkage.standing().clone()
    }

    /// What stands was made from at least so many.
    pub(crate) fn assume(&mut self, standing: &Counts) {
        self.shrinkage.stands_also(standing);
    }

    /// The template was executed. What is to be told of that.
    pub(crate) fn executed(&mut self, result: Execution, now: Instant) -> Option<Event> {
        if let Execution::Text(text) = &result {
            if matches!(self.fate_of(text), Some(Fate::Stands)) {
                self.shrinkage.stands_also(&text.counts);
            }
            if let Some(enough) = self.shrinkage.seen(&text.counts, now) {
                log::info!("template {}: {enough}", self.name);
            }
            if self.fate_of(text).is_some() {
                self.quiescence.rest();
                self.retry = Retry::default();
            } else if self.newest_text().is_none_or(|before| !before.is(text)) {
                self.quiescence.changed(now);
                self.retry = Retry::default();
            }
        }
        let had_come_to_something = self.rendered || self.trouble.is_some();
        let lacked = self.newest.replace(result).is_some_and(|before| lacks(&before));
        let lacks = self.newest.as_ref().is_some_and(lacks);
        (had_come_to_something && lacks && !lacked).then_some(Event::Lacks(self.id))
    }

    /// What is to be done or told now; to be asked until there is nothing. After something that is
    /// to be done there is nothing until [`Progress::written`].
    pub(crate) fn next(&mut self, now: Instant, catalog_answers: bool) -> Option<Next> {
        self.shrinkage.elapse(now, catalog_answers);
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => self.next_text(now),
            Step::Decided(text, verdict) => {
                let task = match verdict {
                    Verdict::Accepted => Task::Install,
                    Verdict::Refused(_) => Task::Discard,
                };
                self.step = Step::Executed(text, verdict);
                Some(Next::Do(task))
            }
            step => {
                self.step = step;
                None
            }
        }
    }

    fn next_text(&mut self, now: Instant) -> Option<Next> {
        let text = match self.newest.as_ref()? {
            Execution::Lacking(_) => return None,
            Execution::Wrong(reason) => {
                let reason = reason.clone();
                return self.failed(reason).map(Next::Tell);
            }
            Execution::Text(text) => text.clone(),
        };
        match self.fate_of(&text) {
            Some(Fate::Stands) => {
                return self.rendered(Outcome::Unchanged).map(Next::Tell);
            }
            Some(Fate::Refused(_)) if self.appeals_at(&text).is_some_and(|at| at <= now) => {}
            // Offered again, and could not be written: that is told, and tried once more.
            Some(Fate::Refused(_)) if self.retry.at.is_some() => return None,
            Some(Fate::Refused(reason)) => {
                let reason = reason.clone();
                return self.failed(reason).map(Next::Tell);
            }
            None if self.due()? > now => return None,
            None => {}
        }
        if let Some(until) = self.shrinkage.refused_until() {
            if until > now {
                let refusal = self.shrinkage.refusal();
                return self.failed(refusal).map(Next::Tell);
            }
            log::warn!("template {}: {}", self.name, self.shrinkage.surrender());
        }
        self.step = Step::Writing(text);
        Some(Next::Do(Task::Write))
    }

    /// What was to be done is done.
    pub(crate) fn written(&mut self, written: Written, now: Instant) -> Option<Event> {
        let (text, refusal) = match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Writing(text) | Step::Executed(text, Verdict::Accepted) => (text, None),
            Step::Executed(text, Verdict::Refused(reason)) => (text, Some(reason)),
            // Nothing was to be done.
            step => {
                self.step = step;
                return None;
            }
        };
        match written {
            Written::Stands(outcome) => {
                self.stands(text, now);
                self.rendered(outcome)
            }
            Written::Printed(words) => {
                self.stands(text, now);
                self.rendered(Outcome::Replaced).map(|_| Event::Printed(self.id, words))
            }
            Written::Candidate(path) => {
                // What was refused before it is asked about anew, whatever becomes of this one: it
                // may be accepted and still not be written.
                self.settled.take_if(|(_, fate)| matches!(fate, Fate::Refused(_)));
                self.step = Step::Judged(text);
                Some(Event::Candidate(self.id, path))
            }
            Written::Discarded => {
                let reason = refusal?;
                let before = self.appeal.take().filter(|(of, _)| *of == text.fingerprint);
                let failures = before.map_or(0, |(_, retry)| retry.failures).saturating_add(1);
                let retry = Retry { failures, at: now.checked_add(OPINIONS.pause(failures)) };
                self.appeal = Some((text.fingerprint, retry));
                self.settle(text.fingerprint, Fate::Refused(reason.clone()), now);
                if failures > 1 && self.trouble.is_some() {
                    // The same again, in words that may have the time in them.
                    self.trouble = Some(reason);
                    return None;
                }
                self.failed(reason)
            }
            Written::Failed(reason) => {
                self.retry.failures = self.retry.failures.saturating_add(1);
                let pause = RETRIES.pause(self.retry.failures);
                self.retry.at = now.checked_add(pause);
                // One that was refused before, and offered again although nothing had changed.
                if self.quiescence.due().is_none() {
                    self.quiescence.changed(now);
                }
                self.failed(reason)
            }
        }
    }

    /// The owner takes the candidate. Nothing happens if there is none.
    pub(crate) fn accept(&mut self) {
        self.decide(Verdict::Accepted);
    }

    /// The owner does not take the candidate. Nothing happens if there is none.
    pub(crate) fn refuse(&mut self, reason: &str) {
        self.decide(Verdict::Refused(reason.to_owned()));
    }

    fn decide(&mut self, verdict: Verdict) {
        self.step = match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Judged(text) => Step::Decided(text, verdict),
            step => step,
        };
    }

    /// When to ask [`Progress::next`] again if nothing happens before. To be called when that has
    /// nothing.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let text = self.newest_text()?;
        if !matches!(self.step, Step::Idle) {
            return None;
        }
        let due = match self.fate_of(text) {
            Some(Fate::Stands) => return None,
            Some(Fate::Refused(_)) => self.appeals_at(text),
            None => self.due(),
        };
        let attention =
            |until: Instant| now.checked_add(ATTENTION).map_or(until, |at| at.min(until));
        let moments = [due, self.shrinkage.refused_until().map(attention)];
        moments.into_iter().flatten().filter(|moment| *moment > now).min()
    }

    /// What keeps the file from being as it should be.
    pub(crate) fn waits(&self) -> Option<Waits<'_>> {
        match self.newest.as_ref() {
            None => return Some(Waits::Because("it has not been executed yet")),
            Some(Execution::Lacking(lacks)) => return Some(Waits::Lacking(lacks)),
            Some(Execution::Wrong(reason)) => return Some(Waits::Because(reason)),
            Some(Execution::Text(_)) => {}
        }
        match (&self.trouble, &self.step) {
            (Some(trouble), _) => Some(Waits::Because(trouble)),
            (None, _) if self.rendered => None,
            (None, Step::Judged(_)) => Some(Waits::Because("it is being checked")),
            (None, _) => Some(Waits::Because("it waits for changes to come to rest")),
        }
    }

    fn newest_text(&self) -> Option<&Text> {
        match self.newest.as_ref()? {
            Execution::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What has become of this text, if no other was dealt with since.
    fn fate_of(&self, text: &Text) -> Option<&Fate> {
        let (settled, fate) = self.settled.as_ref()?;
        (*settled == text.fingerprint).then_some(fate)
    }

    /// When this text, which was refused, is offered again; later if it could not be written then.
    fn appeals_at(&self, text: &Text) -> Option<Instant> {
        let (of, appeal) = self.appeal.as_ref()?;
        let at = appeal.at.filter(|_| *of == text.fingerprint)?;
        Some(self.retry.at.map_or(at, |retry| retry.max(at)))
    }

    /// When the newest text may be written, if it is not too small.
    fn due(&self) -> Option<Instant> {
        self.quiescence.due().map(|due| self.retry.at.map_or(due, |retry| retry.max(due)))
    }

    fn stands(&mut self, text: Text, now: Instant) {
        self.appeal = None;
        self.shrinkage.stands(&text.counts);
        if let Some(newest) = self.newest_text().cloned() {
            self.shrinkage.seen(&newest.counts, now);
        }
        self.settle(text.fingerprint, Fate::Stands, now);
    }

    fn settle(&mut self, fingerprint: Fingerprint, fate: Fate, now: Instant) {
        if self.newest_text().is_none_or(|newest| newest.fingerprint == fingerprint) {
            self.quiescence.rest();
        } else if self.quiescence.due().is_none() {
            // Back to what stood before, while this was judged.
            self.quiescence.changed(now);
        }
        self.settled = Some((fingerprint, fate));
        self.retry = Retry::default();
    }

    /// Tells what the owner does not know yet.
    fn rendered(&mut self, outcome: Outcome) -> Option<Event> {
        let was_wrong = self.trouble.take().is_some();
        let is_first = !std::mem::replace(&mut self.rendered, true);
        let is_news = was_wrong || is_first || outcome == Outcome::Replaced;
        is_news.then_some(Event::Rendered(self.id, outcome))
    }

    /// Tells a reason unless it was the last one told.
    fn failed(&mut self, reason: String) -> Option<Event> {
        if self.trouble.as_ref() == Some(&reason) {
            return None;
        }
        self.trouble = Some(reason.clone());
        Some(Event::Failed(self.id, reason))
    }
}

/// Whether something is not there that it needs. What has not been answered yet mostly will be.
fn lacks(result: &Execution) -> bool {
    matches!(result, Execution::Lacking(lacks) if lacks.iter().any(|lack| lack.why == Why::Absent))
}
