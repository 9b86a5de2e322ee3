//! `when`: what a job waits for.

use std::time::Duration;

use super::sources::{Names, Source};
use crate::{
    decode::{
        Field, Object,
        suggestion::{did_you_mean, one_of},
    },
    job::{
        Condition, ElectionEvent, Frequency, GlobalEvent, JobEvent, Need, SignalEvent,
        TemplateEvent, Trigger, WatchEvent, When,
    },
    json5::Value,
};

const GLOBAL_EVENTS: [(&str, GlobalEvent); 4] = [
    ("startup", GlobalEvent::Startup),
    ("shutdown", GlobalEvent::Shutdown),
    ("enterMaintenance", GlobalEvent::EnterMaintenance),
    ("exitMaintenance", GlobalEvent::ExitMaintenance),
];
const JOB_EVENTS: [(&str, JobEvent); 6] = [
    ("healthy", JobEvent::Healthy),
    ("unhealthy", JobEvent::Unhealthy),
    ("exitSuccess", JobEvent::ExitSuccess),
    ("exitFailed", JobEvent::ExitFailed),
    ("stopping", JobEvent::Stopping),
    ("stopped", JobEvent::Stopped),
];
const WATCH_EVENTS: [(&str, WatchEvent); 3] = [
    ("changed", WatchEvent::Changed),
    ("healthy", WatchEvent::Healthy),
    ("unhealthy", WatchEvent::Unhealthy),
];
const ELECTION_EVENTS: [(&str, ElectionEvent); 2] =
    [("elected", ElectionEvent::Elected), ("demoted", ElectionEvent::Demoted)];
const TEMPLATE_EVENTS: [(&str, TemplateEvent); 2] =
    [("changed", TemplateEvent::Changed), ("failed", TemplateEvent::Failed)];

/// The names of all events, each once.
pub(crate) fn events() -> impl Iterator<Item = &'static str> {
    let of_jobs = names(&JOB_EVENTS);
    // Some are of several.
    let of_watches = names(&WATCH_EVENTS).filter(|name| !has(&JOB_EVENTS, name));
    let of_templates = names(&TEMPLATE_EVENTS).filter(|name| !has(&WATCH_EVENTS, name));
    let of_others = names(&ELECTION_EVENTS).chain(of_templates).chain(names(&GLOBAL_EVENTS));
    of_jobs.chain(of_watches).chain(of_others)
}

fn names<T>(events: &'static [(&'static str, T)]) -> impl Iterator<Item = &'static str> {
    events.iter().map(|(name, _)| *name)
}

fn has<T>(events: &[(&str, T)], event: &str) -> bool {
    events.iter().any(|(name, _)| *name == event)
}

/// A `when` whose names are not resolved.
#[derive(Default)]
pub(super) struct RawWhen<'a> {
    /// The whole of it, for errors.
    pub(super) field: Option<Field<'a>>,
    conditions: Conditions<'a>,
    pub(super) interval: Option<(Field<'a>, Duration)>,
    /// What begins the first interval.
    after: RawCondition<'a>,
    timeout: Option<Duration>,
}

/// What is waited for.
enum Conditions<'a> {
    /// One thing, said in the `when` itself.
    One(RawCondition<'a>),
    /// Several.
    Several(Need, List<'a>),
}

/// `all` or `any`.
struct List<'a> {
    field: Field<'a>,
    /// Each with its object.
    items: Vec<(Field<'a>, RawCondition<'a>)>,
}

/// `{source, once}` or `{source, each}`.
#[derive(Default)]
struct RawCondition<'a> {
    source: Option<(Field<'a>, String)>,
    event: Option<(Field<'a>, String, Frequency)>,
    /// Something is wrong with it already: it is not resolved.
    wrong: bool,
}

impl Default for Conditions<'_> {
    fn default() -> Self {
        Self::One(RawCondition::default())
    }
}

/// The key `when` of a job.
pub(super) fn read<'a>(job: &mut Object<'a>) -> RawWhen<'a> {
    let mut when = RawWhen { field: job.take("when"), ..RawWhen::default() };
    let Some(mut object) = when.field.as_ref().and_then(Field::object) else {
        return when;
    };
    let mut take = |key| object.given(key).map(|field| (key, field));
    let one = [take("source"), take("once"), take("each")];
    let (interval, timeout, all, any) =
        (take("interval"), take("timeout"), take("all"), take("any"));
    let after = take("after");
    object.finish();
    let exclude = |key: &str, others: &[&Option<(&str, Field<'_>)>]| {
        for (other, field) in others.iter().filter_map(|other| other.as_ref()) {
            let fault = format!("stands beside {key:?}, which excludes {other:?}");
            field.refuse(&fault, "want one of the two");
        }
    };
    let [source, once, each] = &one;
    if let Some((key, interval)) = interval {
        exclude(key, &[source, once, each, &timeout, &all, &any]);
        when.after = after.map_or_else(RawCondition::default, |(_, field)| single(&field));
        let period = interval.duration(Duration::from_millis(1));
        when.interval = Some((interval, period.unwrap_or(Duration::from_secs(1))));
        return when;
    }
    if let Some((_, after)) = &after {
        after.refuse("stands without \"interval\"", "want \"interval\" beside it");
    }
    when.timeout = timeout.and_then(|(_, field)| field.timeout());
    when.conditions = match (all, any) {
        (Some((key, field)), any) => {
            exclude(key, &[source, once, each, &any]);
            Conditions::Several(Need::All, list(field))
        }
        (None, Some((key, field))) => {
            exclude(key, &[source, once, each]);
            Conditions::Several(Need::Any, list(field))
        }
        (None, None) => Conditions::One(condition(one.map(|one| one.map(|(_, field)| field)))),
    };
    when
}

/// `{source, once}`: something that happens once.
fn single<'a>(field: &Field<'a>) -> RawCondition<'a> {
    let Some(mut object) = field.object() else {
        return RawCondition { wrong: true, ..RawCondition::default() };
    };
    let (source, once) = (object.given("source"), object.given("once"));
    if once.is_none() {
        object.problem("\"once\" is missing", "want the name of an event");
    }
    object.finish();
    let is_incomplete = once.is_none();
    let condition = condition([source, once, None]);
    RawCondition { wrong: condition.wrong || is_incomplete, ..condition }
}

fn list<'a>(field: Field<'a>) -> List<'a> {
    let fields = field.items();
    if fields.is_empty() && matches!(field.node.value, Value::Array(_)) {
        let rule = "want one condition at least, like { source: \"db\", once: \"healthy\" }";
        field.refuse("is empty", rule);
    }
    let read = |item: Field<'a>| {
        let mut object = item.object()?;
        let mut take = |key| object.given(key);
        let one = [take("source"), take("once"), take("each")];
        if one.iter().all(Option::is_none) {
            object.problem("the condition is empty", "want \"once\" or \"each\", and a \"source\"");
        }
        object.finish();
        Some((item, condition(one)))
    };
    List { items: fields.into_iter().filter_map(read).collect(), field }
}

/// A condition of its `source`, `once` and `each`.
fn condition([source, once, each]: [Option<Field<'_>>; 3]) -> RawCondition<'_> {
    let mut condition = RawCondition::default();
    if let (Some(_), Some(each)) = (&once, &each) {
        each.refuse("stands beside \"once\", which excludes \"each\"", "want one of the two");
        condition.wrong = true;
    }
    let asked = (source.is_some(), once.is_some() || each.is_some());
    condition.source = source.and_then(|field| field.string().map(|text| (field, text)));
    let event = once.map(|field| (field, Frequency::Once));
    let event = event.or(each.map(|field| (field, Frequency::Each)));
    condition.event = event.and_then(|(field, frequency)| {
        let name = field.string()?;
        Some((field, name, frequency))
    });
    // What was asked for and is no string has been reported.
    condition.wrong |= asked != (condition.source.is_some(), condition.event.is_some());
    condition
}

impl RawWhen<'_> {
    /// What the job waits for; what cannot be resolved is reported.
    pub(super) fn resolve(&self, names: &Names<'_>) -> When {
        let startup = Trigger::Global(GlobalEvent::Startup);
        if let Some((_, interval)) = self.interval {
            let after = match self.after.is_given() {
                true => self.after.resolve_one(names),
                false => None,
            };
            let after = after.map_or(startup, |condition| condition.trigger);
            return When::Every { interval, after };
        }
        let (need, conditions) = match &self.conditions {
            Conditions::One(condition) => (Need::Any, condition.resolve(names)),
            Conditions::Several(need, list) => (*need, list.resolve(*need, names)),
        };
        if conditions.is_empty() {
            return When::once(startup);
        }
        When::On { need, conditions, timeout: self.timeout }
    }
}

impl List<'_> {
    fn resolve(&self, need: Need, names: &Names<'_>) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = Vec::new();
        for (field, raw) in &self.items {
            let resolved = match need {
                Need::Any => raw.resolve(names),
                Need::All => raw.resolve_one(names).into_iter().collect(),
            };
            let is_there = |condition: &Condition| {
                conditions.iter().any(|other| other.trigger == condition.trigger)
            };
            if resolved.iter().any(is_there) {
                field.problem("the condition is there already", "want each one once");
            }
            conditions.extend(resolved);
        }
        let mut end = conditions.iter().map(|condition| condition.trigger.is_of_the_end());
        if need == Need::Any
            && let Some(first) = end.next()
            && end.any(|other| other != first)
        {
            // What waits for the end must outlive it, what waits for something else must not.
            let fault = "has events of the end (shutdown, stopping, stopped) beside others";
            self.field.refuse(fault, "want a job for each of the two kinds");
        }
        conditions
    }
}

impl RawCondition<'_> {
    fn is_given(&self) -> bool {
        self.event.is_some()
    }

    /// The one event that is meant.
    fn resolve_one(&self, names: &Names<'_>) -> Option<Condition> {
        let conditions = self.resolve(names);
        if let ([_, _, ..], Some((field, _))) = (conditions.as_slice(), &self.source) {
            let rule = "want a name that only one watch has: here one event is waited for";
            field.refuse("names several watches", rule);
        }
        conditions.into_iter().next()
    }

    /// What is waited for: one thing, but for a name that several watches have.
    fn resolve(&self, names: &Names<'_>) -> Vec<Condition> {
        if self.wrong {
            return Vec::new();
        }
        let signal = self.source.as_ref().and_then(|(_, name)| signal(name));
        let (triggers, frequency) = match (signal, &self.event) {
            (Some(signal), event) => {
                if let Some((field, _, Frequency::Once)) = event {
                    field.warn("is ignored: a signal has no events, and each one counts");
                }
                (vec![Trigger::Signal(signal)], Frequency::Each)
            }
            (None, Some((field, event, frequency))) => {
                (self.triggers(field, event, names), *frequency)
            }
            (None, None) => {
                if let Some((field, source)) = &self.source
                    && names.find(field, source).is_some()
                {
                    let rule = "want \"once\" or \"each\" with the name of an event beside it";
                    field.refuse("is a source without an event", rule);
                }
                (vec![Trigger::Global(GlobalEvent::Startup)], Frequency::Once)
            }
        };
        triggers.into_iter().map(|trigger| Condition { trigger, frequency }).collect()
    }

    fn triggers(&self, field: &Field<'_>, event: &str, names: &Names<'_>) -> Vec<Trigger> {
        let Some((source_field, source)) = &self.source else {
            return global(field, event, &names.jobs).into_iter().collect();
        };
        match names.find(source_field, source) {
            None => Vec::new(),
            Some(Source::Global) => global(field, event, &[]).into_iter().collect(),
            Some(Source::Watches(watches)) => {
                match choose(field, event, "a watch", &WATCH_EVENTS) {
                    Some(event) => {
                        watches.into_iter().map(|watch| Trigger::Watch(watch, event)).collect()
                    }
                    None => Vec::new(),
                }
            }
            Some(Source::Election(election)) => {
                let event = choose(field, event, "an election", &ELECTION_EVENTS);
                event.map(|event| Trigger::Election(election, event)).into_iter().collect()
            }
            Some(Source::Template(template)) => {
                let event = choose(field, event, "a template", &TEMPLATE_EVENTS);
                event.map(|event| Trigger::Template(template, event)).into_iter().collect()
            }
            Some(Source::Job(job)) => {
                let event = choose(field, event, "a job", &JOB_EVENTS);
                event.map(|event| Trigger::Job(job, event)).into_iter().collect()
            }
        }
    }
}

/// An event of the program. If it is one of jobs, a source is missing.
fn global(field: &Field<'_>, event: &str, jobs: &[&str]) -> Option<Trigger> {
    if !has(&GLOBAL_EVENTS, event) && events().any(|name| name == event) {
        let rule = match jobs.iter().find(|name| !name.is_empty()) {
            _ if has(&ELECTION_EVENTS, event) => "want \"election.NAME\" as its \"source\"".into(),
            _ if event == "changed" => {
                "want \"watch.NAME\" or \"template.NAME\" as its \"source\"".into()
            }
            _ if has(&TEMPLATE_EVENTS, event) => "want \"template.NAME\" as its \"source\"".into(),
            Some(job) => format!("want a \"source\" beside it, like \"{job}\""),
            None => "want a job or a watch as its \"source\"".into(),
        };
        field.refuse("is not an event of the program itself", rule);
        return None;
    }
    choose(field, event, "the program", &GLOBAL_EVENTS).map(Trigger::Global)
}

fn signal(source: &str) -> Option<SignalEvent> {
    match source {
        "SIGHUP" => Some(SignalEvent::Hup),
        "SIGUSR2" => Some(SignalEvent::Usr2),
        _ => None,
    }
}

fn choose<T: Copy>(field: &Field<'_>, event: &str, of: &str, events: &[(&str, T)]) -> Option<T> {
    let found = events.iter().find(|(name, _)| *name == event);
    if found.is_none() {
        let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
        let want = format!("want {}", one_of(&names));
        let rule = did_you_mean(event, names).unwrap_or(want);
        field.refuse(&format!("is not an event of {of}"), rule);
    }
    found.map(|(_, event)| *event)
}
