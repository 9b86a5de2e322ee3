//! Brings together what the catalog says, the templates' progress, the thread and the clock.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use catalog::{Catalog, Finding, Question, Survey};
use tokio::time::{Instant, sleep_until};

use crate::{
    Effort, Event, Template, TemplateId,
    order::{Order, PassReport, Report, Written},
    progress::{Next, Progress, Waits},
    shrinkage::Counts,
    waiting,
    worker::Worker,
};

/// The longest time that a change in the catalog may go unnoticed should a notification be lost.
const MAX_STALENESS: Duration = Duration::from_secs(60);

/// How often files are looked at that templates read.
const LOOK: Duration = Duration::from_secs(2);

/// How long a template that waits for answers is not executed for other news: what it will ask
/// when all are there is mostly what it would have asked now.
const PATIENCE: Duration = Duration::from_millis(250);

/// Templates that take longer than this rest for as long as they took, so that a catalog that never
/// rests costs no more than half a core.
const LONG: Duration = Duration::from_millis(10);

/// Does the work of a [`crate::Renderer`] while it is waited for the next event.
pub(crate) struct Conductor<W> {
    catalog: Arc<dyn Catalog>,
    survey: Survey,
    worker: W,
    /// The worker has an order.
    is_busy: bool,
    templates: Vec<Progress>,
    events: VecDeque<Event>,
    /// Not yet given to the worker.
    news: Vec<(Question, Arc<Finding>)>,
    /// When a pass is due, whether or not there are news.
    pass: Option<Instant>,
    /// When to look at files.
    look: Option<Instant>,
    /// No news before this.
    rested: Instant,
    effort: Effort,
}

impl<W: Worker> Conductor<W> {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(catalog: Arc<dyn Catalog>, templates: &[Template], worker: W) -> Self {
        let progress = |(index, template)| Progress::new(TemplateId(index), template);
        Conductor {
            survey: Survey::new(Arc::clone(&catalog), MAX_STALENESS),
            catalog,
            worker,
            is_busy: false,
            templates: templates.iter().enumerate().map(progress).collect(),
            events: VecDeque::new(),
            news: Vec::new(),
            pass: Some(Instant::now()),
            look: None,
            rested: Instant::now(),
            effort: Effort::default(),
        }
    }

    /// The next thing to tell. Cancel safe: what was begun goes on, and nothing is lost.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            let now = Instant::now();
            if !self.is_busy {
                self.give_order(now);
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            // A moment for those arms that do not use it.
            let deadline = self.deadline(now);
            tokio::select! {
                report = self.worker.report(), if self.is_busy => self.hear(report),
                news = self.survey.news(), if !self.is_busy && self.rested <= now => {
                    self.news = news;
                }
                () = sleep_until(deadline.unwrap_or(now)), if !self.is_busy && deadline.is_some() => {}
            }
        }
    }

    pub(crate) fn accept(&mut self, TemplateId(index): TemplateId) {
        if let Some(progress) = self.templates.get_mut(index) {
            progress.accept();
        }
    }

    pub(crate) fn refuse(&mut self, TemplateId(index): TemplateId, reason: &str) {
        if let Some(progress) = self.templates.get_mut(index) {
            progress.refuse(reason);
        }
    }

    pub(crate) fn waiting(&self) -> Vec<(TemplateId, String)> {
        let one = |(index, progress): (usize, &Progress)| {
            let words = match progress.waits()? {
                Waits::Because(words) => words.to_owned(),
                Waits::Lacking(lacks) => waiting::in_words(lacks, &*self.catalog, &self.survey),
            };
            Some((TemplateId(index), words))
        };
        self.templates.iter().enumerate().filter_map(one).collect()
    }

    pub(crate) fn lacks(&self, TemplateId(index): TemplateId) -> bool {
        let progress = self.templates.get(index);
        progress.is_some_and(|progress| matches!(progress.waits(), Some(Waits::Lacking(_))))
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy || !self.events.is_empty() || !self.news.is_empty()
    }

    pub(crate) fn effort(&self) -> Effort {
        self.effort
    }

    pub(crate) fn standing(&self, TemplateId(index): TemplateId) -> Counts {
        self.templates.get(index).map(Progress::standing).unwrap_or_default()
    }

    pub(crate) fn assume(&mut self, TemplateId(index): TemplateId, standing: &Counts) {
        if let Some(progress) = self.templates.get_mut(index) {
            progress.assume(standing);
        }
    }

    /// Ends. What became of files, and was not told.
    pub(crate) fn close(mut self) -> Vec<Event> {
        if self.is_busy
            && let Some(report @ Report::Text(..)) = self.worker.finish()
        {
            self.hear(report);
        }
        let is_over = |event: &Event| !matches!(event, Event::Candidate(..));
        self.events.into_iter().filter(is_over).collect()
    }

    /// Texts before passes: what is known is brought to its place before more is learnt.
    fn give_order(&mut self, now: Instant) {
        let answers = self.catalog.reachability().outage().is_none();
        for (index, progress) in self.templates.iter_mut().enumerate() {
            while let Some(next) = progress.next(now, answers) {
                match next {
                    Next::Tell(event) => self.events.push_back(event),
                    Next::Do(task) => {
                        return self.begin(Order::Text(TemplateId(index), task));
                    }
                }
            }
        }
        let is_due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        let (partial, look) = (is_due(self.pass), is_due(self.look));
        if partial || look || !self.news.is_empty() {
            if partial {
                self.pass = None;
            }
            if look {
                self.look = None;
            }
            let news = std::mem::take(&mut self.news);
            self.begin(Order::Pass { news, look, partial });
        }
    }

    fn begin(&mut self, order: Order) {
        self.is_busy = true;
        self.worker.begin(order);
    }

    /// When there is something to do although nothing happens.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let rested = (self.rested > now).then_some(self.rested);
        let texts = self.templates.iter().filter_map(|progress| progress.deadline(now));
        texts.chain(self.pass).chain(self.look).chain(rested).min()
    }

    fn hear(&mut self, report: Report) {
        self.is_busy = false;
        let now = Instant::now();
        match report {
            Report::Pass(report) => self.hear_pass(report, now),
            Report::Text(TemplateId(index), written) => {
                let is_text = !matches!(written, Written::Failed(_) | Written::Discarded);
                self.effort.texts += u64::from(is_text);
                if let Some(progress) = self.templates.get_mut(index) {
                    self.events.extend(progress.written(written, now));
                }
            }
        }
    }

    fn hear_pass(&mut self, report: PassReport, now: Instant) {
        for (TemplateId(index), result) in report.results {
            self.effort.passes += 1;
            if let Some(progress) = self.templates.get_mut(index) {
                self.events.extend(progress.executed(result, now));
            }
        }
        if let Some(questions) = report.questions {
            self.survey.follow(questions);
        }
        let later = |after: Duration| now.checked_add(after);
        // However often there is a pass: the time of the next look stands until it has come.
        self.look = if report.reads_files { self.look.or_else(|| later(LOOK)) } else { None };
        self.pass = if report.waits { self.pass.or_else(|| later(PATIENCE)) } else { None };
        if report.took > LONG {
            self.rested = later(report.took).unwrap_or(now);
        }
    }
}

#[cfg(test)]
mod tests;
