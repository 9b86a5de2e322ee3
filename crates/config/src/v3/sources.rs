//! What events come from, by their names.

use crate::{
    decode::{Field, suggestion::did_you_mean},
    election::ElectionId,
    job::JobId,
    template::TemplateId,
    watch::WatchId,
};

/// What is a source without being in any list.
const OTHERS: [&str; 3] = ["SIGHUP", "SIGUSR2", "global"];

/// The names that a `when` can refer to, in the order of the file; empty if they are wrong.
pub(super) struct Names<'a> {
    pub(super) jobs: Vec<&'a str>,
    pub(super) watches: Vec<&'a str>,
    pub(super) elections: Vec<&'a str>,
    pub(super) templates: Vec<&'a str>,
}

/// What a source's name means.
pub(super) enum Source {
    Global,
    Job(JobId),
    /// All that have the name: those of several tags or datacenters.
    Watches(Vec<WatchId>),
    Election(ElectionId),
    Template(TemplateId),
}

/// What is referred to as `watch.NAME` and the like.
#[derive(Clone, Copy)]
enum Kind {
    Watch,
    Election,
    Template,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Watch, Kind::Election, Kind::Template];

    /// One of them, and several.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Watch => ("watch", "watches"),
            Kind::Election => ("election", "elections"),
            Kind::Template => ("template", "templates"),
        }
    }
}

impl Names<'_> {
    /// The job of that name. If there is none, that is reported.
    pub(super) fn job(&self, field: &Field<'_>, name: &str) -> Option<JobId> {
        let found = self.jobs.iter().position(|job| *job == name).map(JobId);
        if found.is_none() {
            field.refuse_by("names no job", || {
                let known = self.known_jobs();
                rule("jobs", &known, did_you_mean(name, known.clone()))
            });
        }
        found
    }

    /// The source of that name. If there is none, that is reported.
    pub(super) fn find(&self, field: &Field<'_>, source: &str) -> Option<Source> {
        if let Some(job) = self.jobs.iter().position(|job| *job == source) {
            return Some(Source::Job(JobId(job)));
        }
        if source == "global" {
            return Some(Source::Global);
        }
        for kind in Kind::ALL {
            let (one, _) = kind.words();
            if let Some(name) = source.strip_prefix(one).and_then(|rest| rest.strip_prefix('.')) {
                return self.find_in(kind, name, field, source);
            }
        }
        let mut same = Kind::ALL.into_iter().filter(|kind| self.of(*kind).contains(&source));
        if let Some(kind) = same.next() {
            let (one, _) = kind.words();
            field.refuse("names no job", format!("did you mean \"{one}.{source}\"?"));
            return None;
        }
        field.refuse_by("names no job", || {
            let jobs = self.known_jobs();
            let others = Kind::ALL.into_iter().flat_map(|kind| self.known(kind));
            let others: Vec<String> = others.collect();
            let all = jobs.iter().copied().chain(others.iter().map(String::as_str)).chain(OTHERS);
            rule("jobs", &jobs, did_you_mean(source, all))
        });
        None
    }

    /// What a kind has under a name. If that is nothing, it is reported.
    fn find_in(&self, kind: Kind, name: &str, field: &Field<'_>, source: &str) -> Option<Source> {
        let all = self.of(kind).iter().enumerate();
        let found: Vec<usize> =
            all.filter(|(_, known)| **known == name).map(|(index, _)| index).collect();
        // One without a name has been complained of already, and may be the one.
        if found.is_empty() && !self.of(kind).contains(&"") {
            let (one, several) = kind.words();
            field.refuse_by(&format!("names no {one}"), || {
                let known = self.known(kind);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let meant = did_you_mean(source, known.iter().copied().chain(OTHERS));
                rule(several, &known, meant)
            });
        }
        let first = *found.first()?;
        Some(match kind {
            Kind::Watch => Source::Watches(found.into_iter().map(WatchId).collect()),
            Kind::Election => Source::Election(ElectionId(first)),
            Kind::Template => Source::Template(TemplateId(first)),
        })
    }

    fn of(&self, kind: Kind) -> &[&str] {
        match kind {
            Kind::Watch => &self.watches,
            Kind::Election => &self.elections,
            Kind::Template => &self.templates,
        }
    }

    fn known_jobs(&self) -> Vec<&str> {
        self.jobs.iter().copied().filter(|name| !name.is_empty()).collect()
    }

    /// As they are referred to.
    fn known(&self, kind: Kind) -> Vec<String> {
        let (one, _) = kind.words();
        self.of(kind).iter().map(|name| format!("{one}.{name}")).collect()
    }
}

/// What may have been meant, and all there are.
fn rule(what: &str, known: &[&str], meant: Option<String>) -> String {
    let there_are = match known {
        [] => format!("there are no {what}"),
        known => format!("the {what} are {}", known.join(", ")),
    };
    match meant {
        Some(meant) => format!("{meant} {there_are}"),
        None => there_are,
    }
}
