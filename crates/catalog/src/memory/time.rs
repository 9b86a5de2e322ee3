//! A clock that goes with tokio's and can be made to jump.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Clock, Moment};

/// A clock for tests of elections. Clones are the same one.
#[derive(Clone)]
pub struct Time(Arc<Inner>);

struct Inner {
    begin: Instant,
    jumped: Mutex<Duration>,
    stir: watch::Sender<()>,
}

impl Default for Time {
    fn default() -> Self {
        Self::new()
    }
}

impl Time {
    /// It shows zero now.
    #[must_use]
    pub fn new() -> Self {
        let jumped = Mutex::new(Duration::ZERO);
        Time(Arc::new(Inner { begin: Instant::now(), jumped, stir: watch::Sender::new(()) }))
    }

    /// As if the machine had been suspended for so long.
    pub fn jump(&self, by: Duration) {
        *self.0.jumped.lock().unwrap_or_else(PoisonError::into_inner) += by;
        self.0.stir.send_replace(());
    }
}

impl Clock for Time {
    fn now(&self) -> Moment {
        self.0.begin.elapsed() + *self.0.jumped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut stirred = self.0.stir.subscribe();
            while self.now() < moment {
                let left = moment.saturating_sub(self.now());
                let _ = tokio::time::timeout(left, stirred.changed()).await;
            }
        })
    }
}
