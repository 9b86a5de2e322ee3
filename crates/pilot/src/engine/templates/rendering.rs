//! A renderer at work, and the checks that its candidates have to pass.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use config::{
    Command, LogLevel,
    job::{Lines, Streams},
    template::{Check, TemplateId},
};
use process::{ExitStatus, Pid, Tail};
use render::Renderer;
use tokio::task::JoinSet;

use super::{News, PATIENCE};
use crate::engine::{
    program::{Place, Program},
    until,
};

/// How long after the exit of a check its last words may still be on their way (or be held up by a
/// descendant that has inherited its streams).
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A renderer and the checks of its candidates.
pub(super) struct Rendering {
    pub(super) renderer: Renderer,
    trials: BTreeMap<TemplateId, Trial>,
    /// Why candidates were refused, as soon as their checks have said all.
    reasons: JoinSet<(TemplateId, String)>,
    /// When the log is told what is still missing.
    patience: Option<Instant>,
}

/// The check of a candidate.
struct Trial {
    check: Pid,
    candidate: PathBuf,
    destination: PathBuf,
    /// What it has said.
    said: Tail,
    /// How long it may take.
    timeout: Duration,
    /// When its time is up; `None` once it was.
    until: Option<Instant>,
}

impl Rendering {
    pub(super) fn new(renderer: Renderer) -> Rendering {
        Rendering {
            renderer,
            trials: BTreeMap::new(),
            reasons: JoinSet::new(),
            patience: Instant::now().checked_add(PATIENCE),
        }
    }

    /// The renderer, and the checks that are to be killed.
    pub(super) fn end(self) -> (Renderer, Vec<Pid>) {
        (self.renderer, self.trials.into_values().map(|trial| trial.check).collect())
    }

    /// The check of a candidate has begun.
    pub(super) fn try_candidate(
        &mut self,
        template: &config::Template,
        (id, candidate): (TemplateId, &Path),
        (check, timeout): (Pid, Duration),
        said: Tail,
    ) {
        let trial = Trial {
            check,
            candidate: candidate.to_owned(),
            destination: template.destination.clone(),
            said,
            timeout,
            until: Instant::now().checked_add(timeout),
        };
        self.trials.insert(id, trial);
    }

    /// The check of a candidate has ended.
    pub(super) fn tried(&mut self, id: TemplateId, check: Pid, status: ExitStatus) {
        // That of a candidate of an earlier renderer is not its.
        if self.trials.get(&id).is_some_and(|trial| trial.check == check)
            && let Some(trial) = self.trials.remove(&id)
        {
            self.judge(id, trial, status);
        }
    }

    /// What comes next. Cancel safe.
    pub(super) async fn next(&mut self) -> News {
        loop {
            let due = self.trials.values().filter_map(|trial| trial.until).min();
            tokio::select! {
                event = self.renderer.next() => match event {
                    render::Event::Rendered(id, outcome) => {
                        return News::Rendered(TemplateId(id.0), outcome);
                    }
                    render::Event::Failed(id, why) => return News::Failed(TemplateId(id.0), why),
                    render::Event::Candidate(id, path) => {
                        return News::Candidate(TemplateId(id.0), path);
                    }
                    // It is told if it lasts.
                    render::Event::Lacks(_) => {
                        self.patience = self.patience.or(Instant::now().checked_add(PATIENCE));
                    }
                    // There are none without a file.
                    render::Event::Printed(..) => {}
                },
                Some(reason) = self.reasons.join_next() => {
                    if let Ok((id, reason)) = reason {
                        self.renderer.refuse(render::TemplateId(id.0), &reason);
                    }
                }
                now = until(due) => {
                    let late = self.trials.values_mut().find(|trial| {
                        trial.until.is_some_and(|until| until <= now)
                    });
                    if let Some(trial) = late {
                        trial.until = None;
                        return News::Overdue(trial.check);
                    }
                }
                _ = until(self.patience) => {
                    self.patience = None;
                    let waiting = self.renderer.waiting().into_iter();
                    return News::Missing(
                        waiting.map(|(id, what)| (TemplateId(id.0), what)).collect(),
                    );
                }
            }
        }
    }

    fn judge(&mut self, id: TemplateId, trial: Trial, status: ExitStatus) {
        let Trial { candidate, destination, said, timeout, until, .. } = trial;
        if until.is_none() {
            let reason = format!("its check took longer than {timeout:?} and was killed");
            self.renderer.refuse(render::TemplateId(id.0), &reason);
        } else if status.success() {
            self.renderer.accept(render::TemplateId(id.0));
        } else {
            self.reasons.spawn(async move {
                // What has come until then has to do.
                let _ = tokio::time::timeout(LAST_WORDS, said.finished()).await;
                let words = said.text().trim().replace('\n', "; ");
                // It speaks of a file that nobody knows, and that has another name each time; but its
                // lines are not those of the file that stands.
                let candidate = candidate.display().to_string();
                let words =
                    words.replace(&candidate, &format!("the new {}", destination.display()));
                let separator = if words.is_empty() { "" } else { ": " };
                (id, format!("its check {status}{separator}{words}"))
            });
        }
    }
}

/// The check of a candidate; it runs as we do.
pub(super) fn program(template: &str, check: &Check, candidate: &Path, said: &Tail) -> Program {
    let Check { command, .. } = check;
    let mut args = command.args.clone();
    args.push(candidate.display().to_string());
    let command = Command { program: command.program.clone(), args };
    let streams =
        Streams::Logged { stdout: LogLevel::Debug, stderr: LogLevel::Info, lines: Lines::Text };
    let name = format!("template.{template}");
    Program::new(&name, &command, streams, &Arc::new(Place::default()), Some(said))
}
