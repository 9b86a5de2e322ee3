//! Many questions at once, each answered anew whenever its answer changes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{Catalog, Finding, Question};

/// Follows a set of questions: one blocking query for each. Dropping it ends them all.
///
/// An error is never an answer. While the registry does not answer, what it has said last stands.
pub struct Survey {
    catalog: Arc<dyn Catalog>,
    max_staleness: Duration,
    followed: HashMap<Question, ()>,
}

impl Survey {
    /// Follows nothing yet. `max_staleness`: the longest time that a change may go unnoticed should
    /// a notification be lost.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, max_staleness: Duration) -> Survey {
        Survey { catalog, max_staleness, followed: HashMap::new() }
    }

    /// Follows exactly these from now on. One that is followed already goes on; one that comes
    /// back after it was left out is asked anew. Must be called within a tokio runtime.
    pub fn follow(&mut self, questions: BTreeSet<Question>) {
        let _ = (questions, &self.catalog, self.max_staleness, &mut self.followed);
    }

    /// Waits until there are answers that this has not returned yet, and returns them: for each
    /// question the newest only, and only if it differs from the one that was returned last. Never
    /// empty, never about a question that is not followed. Cancel-safe.
    pub async fn news(&mut self) -> Vec<(Question, Arc<Finding>)> {
        std::future::pending().await
    }

    /// How many are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.followed.len()
    }

    /// Whether nothing is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }
}
