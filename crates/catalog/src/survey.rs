//! Many questions at once, each answered anew whenever its answer changes.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::follow::{Bounds, Source, UNASKED, follow};
use crate::{Answer, Catalog, Class, Error, Finding, Found, Index, Operation, Question};

/// Until a registry is asked again that could not say how many may wait.
const AGAIN: Duration = Duration::from_secs(10);

/// Different errors that the log is told of.
const SPOKEN: usize = 8;

/// Follows a set of questions: one blocking query for each. Dropping it ends them all.
///
/// An error is never an answer. While the registry does not answer, what it has said last stands.
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
    bounds: Bounds,
}

#[derive(Default)]
struct State {
    rows: HashMap<Arc<Question>, Row>,
    /// Those of which there is something to tell, and perhaps others.
    news: BTreeSet<Arc<Question>>,
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
    trouble: Option<Box<str>>,
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
        let board = Board {
            name: catalog.reachability().name().to_owned(),
            state: Mutex::default(),
            stir: Notify::new(),
            bounds: Bounds::new(),
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
            let row = Row { number, query, told: None, newest: None, trouble: None };
            state.rows.insert(question, row);
        }
        let count = state.rows.len();
        self.board.bounds.set_queries(count);
        state.seat(&self.board, state.places);
        if count > UNASKED && self.usher.is_none() {
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
            if let Some(news) = self.board.lock().take() {
                return news;
            }
            self.board.stir.notified().await;
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
            board.bounds.set_places(None);
            return;
        };
        let answer = catalog.reachability().observed(Operation::Find, request).await;
        let class = turn.report(&answer);
        drop(turn);
        match answer {
            Ok(places) => {
                board.bounds.set_places(places);
                board.lock().seat(&board, places);
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

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// So many may wait for changes.
    fn seat(&mut self, board: &Board, places: Option<usize>) {
        self.places = places;
        let count = self.rows.len();
        let Some(places) = places.filter(|places| *places < count) else { return };
        if !std::mem::replace(&mut self.crowded, true) {
            log::warn!(
                "{} takes too few connections for {count} questions: {places} wait for changes, \
                 the others are asked again every {:.0?}",
                board.name,
                board.bounds.pause(),
            );
        }
    }

    /// The row of a query, unless it is not followed any more, and what there is to tell.
    fn row(&mut self, of: &Asker) -> Option<(&mut Row, &mut BTreeSet<Arc<Question>>)> {
        let row = self.rows.get_mut(&of.question).filter(|row| row.number == of.number)?;
        Some((row, &mut self.news))
    }

    /// What there is to tell; `None`: nothing.
    fn take(&mut self) -> Option<Vec<(Question, Arc<Finding>)>> {
        let mut news = Vec::new();
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

    fn troubled(&self, error: &Error) {
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
