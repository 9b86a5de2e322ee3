//! Waiting for moments that may not come.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use tokio::time::Sleep;

/// A timer that is kept from one wait to the next: to set one up costs the runtime a system call,
/// and most of what is heard leaves the deadline as it is.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set: Option<Instant>,
}

impl Alarm {
    /// Must be called within a tokio runtime.
    pub(super) fn new() -> Alarm {
        Alarm { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), set: None }
    }

    /// As [`until`]. Cancel safe.
    pub(super) async fn at(&mut self, deadline: Option<Instant>) -> Instant {
        let Some(at) = deadline else { return std::future::pending().await };
        if self.set != Some(at) {
            self.sleep.as_mut().reset(at.into());
            self.set = Some(at);
        }
        self.sleep.as_mut().await;
        at
    }
}

/// Sleeps until then, or for ever; answers when that was.
pub(super) async fn until(deadline: Option<Instant>) -> Instant {
    match deadline {
        Some(at) => {
            tokio::time::sleep_until(at.into()).await;
            at
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_come_and_go_earlier_and_later() {
        let mut alarm = Alarm::new();
        let begun = tokio::time::Instant::now();
        let at = |seconds: u32| begun.into_std().checked_add(SECOND * seconds);
        let elapsed = || begun.elapsed().as_secs();
        // None of them is what is waited for in the end.
        for seconds in [9, 5, 30] {
            assert!(timeout(SECOND, alarm.at(at(seconds))).await.is_err());
        }
        assert!(timeout(SECOND, alarm.at(None)).await.is_err());
        assert_eq!(Some(alarm.at(at(6)).await), at(6));
        assert_eq!(elapsed(), 6);
        // It is past: whoever asks again is told again, also when it has been another in between.
        for seconds in [6, 6, 2, 6] {
            assert_eq!(Some(alarm.at(at(seconds)).await), at(seconds));
        }
        assert_eq!(elapsed(), 6);
        // It has passed while nobody waited.
        assert!(timeout(SECOND, alarm.at(at(20))).await.is_err());
        advance(SECOND * 20).await;
        assert_eq!(Some(alarm.at(at(20)).await), at(20));
        assert_eq!(elapsed(), 27);
    }
}
