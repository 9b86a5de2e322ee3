//! Many questions at once, each answered anew whenever its answer changes.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::follow::{Bounds, Source, UNASKED, follow};
use crate::{Answer, Catalog, Class, Error, Finding, Found, Index, Operation, Question};

/// Until a registry is asked again that could not say how many may wait.
const AGAIN: Duration = Duration::from_secs(10);

/// After an outage, the longest time in which some answers are not told since others are still those
/// from before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Different errors that the log is told of.
const SPOKEN: usize = 8;

/// Follows a set of questions: one blocking query for each. Dropping it ends them all.
///
/// An error is never an answer. While the registry does not answer, what it has said last stands.
/// After an outage it may be another one, or have lost its memory: nothing is told then before all
/// questions have been answered anew, or cannot be, or some seconds have passed, so that who puts
/// answers together does not mix what was with what is.
pub struct Survey {
    catalog: Arc<dyn Catalog>,
    wait: Duration,
    board: Arc<Board>,
    /// Asks how many may wait, once that matters.
    usher: Option<AbortHandle>,
}

/// Where the queries put their answers.
struct Board {
    /// The registry's, for the log.
    name: String,
    state: Mutex<State>,
    /// There may be something to tell.
    stir: Notify,
    /// The registry's outages that have ended.
    recoveries: watch::Receiver<u64>,
    bounds: Bounds,
}

#[derive(Default)]
struct State {
    rows: HashMap<Arc<Question>, Row>,
    /// Those of which there is something to tell, and perhaps others.
    news: BTreeSet<Arc<Question>>,
    /// Outages that the rows know to be over.
    recoveries: u64,
    /// Rows with an answer from before the last of them.
    stale: usize,
    /// Since when there is something to tell that is not told, for that reason.
    held: Option<Instant>,
    /// Rows made so far.
    made: u64,
    /// What troubles a question is another than when it was told last.
    shifted: bool,
    /// Rows with trouble.
    troubled: usize,
    /// Errors of which the log has spoken since there was trouble first.
    spoken: BTreeSet<String>,
    /// How many may wait for changes, if that is known and not any number.
    places: Option<usize>,
    /// The log has said that it is too few.
    crowded: bool,
}

/// A question that is followed.
struct Row {
    /// Tells it from an earlier one for the same question, whose query may still be about to end.
    number: u64,
    query: AbortHandle,
    told: Option<Arc<Finding>>,
    /// Not told yet.
    newest: Option<Arc<Finding>>,
    /// What is known is from before the last outage.
    is_stale: bool,
    trouble: Option<Box<str>>,
}

impl Row {
    /// Nothing is known.
    fn new(number: u64, query: AbortHandle) -> Row {
        Row { number, query, told: None, newest: None, is_stale: false, trouble: None }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.query.abort();
    }
}

impl Drop for Survey {
    fn drop(&mut self) {
        // The queries hold the board.
        self.board.lock().rows.clear();
        if let Some(usher) = &self.usher {
            usher.abort();
        }
    }
}

impl Survey {
    /// Follows nothing yet. `max_staleness`: the longest time that a change may go unnoticed should
    /// a notification be lost.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, max_staleness: Duration) -> Survey {
        let recoveries = catalog.reachability().recoveries();
        let state = State { recoveries: *recoveries.borrow(), ..State::default() };
        let board = Board {
            name: catalog.reachability().name().to_owned(),
            state: Mutex::new(state),
            stir: Notify::new(),
            recoveries,
            bounds: Bounds::new(unasked()),
        };
        let wait = crate::follow::wait(max_staleness);
        Survey { catalog, wait, board: Arc::new(board), usher: None }
    }

    /// Follows exactly these from now on. One that is followed already goes on; one that comes
    /// back after it was left out is asked anew. Must be called within a tokio runtime.
    pub fn follow(&mut self, questions: BTreeSet<Question>) {
        let mut state = self.board.lock();
        let state = &mut *state;
        state.rows.retain(|question, _| questions.contains(&**question));
        state.troubled = state.rows.values().filter(|row| row.trouble.is_some()).count();
        state.stale = state.rows.values().filter(|row| row.is_stale).count();
        if state.troubled == 0 {
            state.spoken.clear();
        }
        for question in questions {
            if state.rows.contains_key(&question) {
                continue;
            }
            let (question, number) = (Arc::new(question), state.made);
            state.made += 1;
            let board = Arc::clone(&self.board);
            let asker = Asker { question: Arc::clone(&question), number, board };
            let query = tokio::spawn(follow(Arc::clone(&self.catalog), asker, self.wait));
            let query = query.abort_handle();
            state.rows.insert(question, Row::new(number, query));
        }
        let count = state.rows.len();
        self.board.bounds.set_queries(count);
        state.seat(&self.board, state.places);
        if count > unasked() && self.usher.is_none() {
            let usher = usher(Arc::clone(&self.catalog), Arc::clone(&self.board));
            self.usher = Some(tokio::spawn(usher).abort_handle());
        }
    }

    /// Waits until there are answers that this has not returned yet, and returns them: for each
    /// question the newest only, and only if it differs from the one that was returned last. Never
    /// about a question that is not followed. Empty if nothing has changed but what
    /// [`Survey::trouble`] says of a question. Cancel-safe.
    pub async fn news(&mut self) -> Vec<(Question, Arc<Finding>)> {
        loop {
            let held = {
                let mut state = self.board.lock();
                let reachability = self.catalog.reachability();
                state.age(*self.board.recoveries.borrow());
                if let Some(news) = state.take(reachability.outage().is_none()) {
                    return news;
                }
                state.held
            };
            let stir = self.board.stir.notified();
            match held {
                None => stir.await,
                Some(since) => {
                    let _ = tokio::time::timeout_at(since + PATIENCE, stir).await;
                }
            }
        }
    }

    /// Why the registry has not answered a question lately: it refuses to, or fails for some time
    /// already. `None`: all is well, there was no time yet for an answer, or the registry is not
    /// there ([`Reachability::outage`](crate::Reachability::outage)). The question is asked again
    /// and again all the same.
    #[must_use]
    pub fn trouble(&self, question: &Question) -> Option<String> {
        Some(self.board.lock().rows.get(question)?.trouble.as_deref()?.to_owned())
    }

    /// How many are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.board.lock().rows.len()
    }

    /// Whether nothing is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Asks the registry how many queries may wait for changes, and again whenever it may be another.
async fn usher(catalog: Arc<dyn Catalog>, board: Arc<Board>) {
    let mut recoveries = catalog.reachability().recoveries();
    loop {
        let turn = catalog.reachability().turn().await;
        recoveries.mark_unchanged();
        let Some(request) = catalog.places() else {
            board.seat(spare());
            return;
        };
        let answer = catalog.reachability().observed(Operation::Find, request).await;
        let class = turn.report(&answer);
        drop(turn);
        match answer {
            Ok(places) => {
                board.seat(places.into_iter().chain(spare()).min());
                // The sender lives in the catalog: this cannot fail.
                let _ = recoveries.changed().await;
            }
            Err(_) if class == Some(Class::Outage) => {}
            Err(error) => {
                log::debug!("{}: how many may wait is unknown: {error}", board.name);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// How many connections this process can spare, which opens files for others, too: children are
/// started with pipes. `None`: any number.
fn spare() -> Option<usize> {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    usize::try_from(files / 2).ok().filter(|_| files != RLIM_INFINITY)
}

/// How many may wait before the registry has been asked.
fn unasked() -> usize {
    spare().map_or(UNASKED, |spare| spare.min(UNASKED))
}

impl Board {
    /// So many may wait for changes.
    fn seat(&self, places: Option<usize>) {
        self.bounds.set_places(places);
        self.lock().seat(self, places);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Says so if these are too few.
    fn seat(&mut self, board: &Board, places: Option<usize>) {
        self.places = places;
        let count = self.rows.len();
        let Some(places) = places.filter(|places| *places < count) else { return };
        if !std::mem::replace(&mut self.crowded, true) {
            let fault = if spare() == Some(places) {
                "we may open too few files".to_owned()
            } else {
                format!("{} takes too few connections", board.name)
            };
            log::warn!(
                "{fault} for {count} questions: {places} wait for changes, \
                 the others are asked again every {:.0?}",
                board.bounds.pause(),
            );
        }
    }

    /// The row of a query, unless it is not followed any more, and what there is to tell.
    fn row(&mut self, of: &Asker) -> Option<(&mut Row, &mut BTreeSet<Arc<Question>>)> {
        let row = self.rows.get_mut(&of.question).filter(|row| row.number == of.number)?;
        Some((row, &mut self.news))
    }

    /// So many outages have ended: if these are more than before, all that is known is from before.
    fn age(&mut self, recoveries: u64) {
        if std::mem::replace(&mut self.recoveries, recoveries) == recoveries {
            return;
        }
        for row in self.rows.values_mut() {
            row.is_stale = row.told.is_some() || row.newest.is_some();
        }
        self.stale = self.rows.values().filter(|row| row.is_stale).count();
    }

    /// What there is to tell; `None`: nothing.
    fn take(&mut self, answers: bool) -> Option<Vec<(Question, Arc<Finding>)>> {
        let mut news = Vec::new();
        let is_whole = answers && self.stale == 0;
        if !is_whole && !self.news.is_empty() {
            let since = *self.held.get_or_insert_with(Instant::now);
            if since.elapsed() < PATIENCE {
                return std::mem::take(&mut self.shifted).then_some(news);
            }
        }
        self.held = None;
        for question in std::mem::take(&mut self.news) {
            let Some(row) = self.rows.get_mut(&question) else { continue };
            let Some(newest) = row.newest.take() else { continue };
            row.told = Some(Arc::clone(&newest));
            news.push(((*question).clone(), newest));
        }
        let shifted = std::mem::take(&mut self.shifted);
        (shifted || !news.is_empty()).then_some(news)
    }
}

/// The query of one question.
struct Asker {
    question: Arc<Question>,
    number: u64,
    board: Arc<Board>,
}

impl Asker {
    fn publish(&self, finding: Finding) {
        let mut state = self.board.lock();
        let Some((row, news)) = state.row(self) else { return };
        if row.newest.as_deref() == Some(&finding) {
            return;
        }
        if row.told.as_deref() == Some(&finding) {
            row.newest = None;
            return;
        }
        row.newest = Some(Arc::new(finding));
        news.insert(Arc::clone(&self.question));
        self.board.stir.notify_one();
    }

    /// What is known of the question is what the registry knows, or it says nothing else.
    fn settle(&self) {
        let recoveries = *self.board.recoveries.borrow();
        let mut state = self.board.lock();
        state.age(recoveries);
        let Some((row, _)) = state.row(self) else { return };
        if std::mem::take(&mut row.is_stale) {
            state.stale = state.stale.saturating_sub(1);
        }
        if state.stale == 0 && state.held.is_some() {
            self.board.stir.notify_one();
        }
    }

    /// Notes what troubles the question.
    fn shift(&self, trouble: Option<Box<str>>) -> Option<MutexGuard<'_, State>> {
        let mut state = self.board.lock();
        let (row, _) = state.row(self)?;
        if row.trouble == trouble {
            return None;
        }
        let (before, after) = (row.trouble.is_some(), trouble.is_some());
        row.trouble = trouble;
        state.troubled = state.troubled + usize::from(after) - usize::from(before);
        state.shifted = true;
        self.board.stir.notify_one();
        Some(state)
    }
}

impl Source for Asker {
    fn name(&self) -> &dyn Display {
        &*self.question
    }

    fn operation(&self, after: Option<Index>) -> Operation {
        match *self.question {
            _ if after.is_some() => Operation::Wait,
            Question::Service(_) => Operation::Instances,
            Question::Keys { .. } => Operation::Entries,
            _ => Operation::Find,
        }
    }

    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Option<Index>> {
        Box::pin(async move {
            let Found { finding, index } = catalog.find(&self.question, after, wait).await?;
            self.publish(finding);
            Ok(index)
        })
    }

    fn bounds(&self) -> Option<&Bounds> {
        Some(&self.board.bounds)
    }

    fn answered(&self) {
        self.settle();
    }

    fn troubled(&self, error: &Error) {
        self.settle();
        let error = error.to_string();
        let Some(mut state) = self.shift(Some(error.as_str().into())) else { return };
        // One line for what troubles all of them.
        if state.spoken.len() < SPOKEN && state.spoken.insert(error.clone()) {
            log::warn!("{}: {error}; what was known of it stands", self.question);
        }
    }

    fn recovered(&self) {
        let Some(mut state) = self.shift(None) else { return };
        if state.troubled == 0 {
            state.spoken.clear();
            log::info!("{} answers all questions again", self.board.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_in_thousands_is_small() {
        let catalog: Arc<dyn Catalog> = Arc::new(crate::memory::Memory::new());
        let board = Arc::clone(&Survey::new(Arc::clone(&catalog), Duration::ZERO).board);
        let asker = Asker { question: Arc::new(Question::Datacenters), number: 0, board };
        let request = size_of_val(&*asker.ask(&*catalog, None, Duration::ZERO));
        let query = size_of_val(&follow(Arc::clone(&catalog), asker, Duration::ZERO));
        assert!(request <= 128 && query <= 640, "{request} and {query} bytes");
    }
}
