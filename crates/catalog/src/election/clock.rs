//! The clock that leadership is measured with.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A reading of a [`Clock`]: the time since a moment that is the same for all its readings.
pub type Moment = Duration;

/// A clock that never goes back, and goes on while the machine is suspended.
pub trait Clock: Send + Sync + 'static {
    /// What it shows.
    fn now(&self) -> Moment;

    /// Resolves when it shows this, also if that is because the machine was suspended.
    fn until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Linux's `CLOCK_BOOTTIME`. Nobody can set it; a timer on it fires as soon as a machine that was
/// suspended wakes. Waiting needs a tokio runtime with I/O.
pub struct BootTime {
    /// When this was made, for a kernel that does not know the clock.
    begin: Instant,
}

impl Default for BootTime {
    fn default() -> Self {
        BootTime { begin: Instant::now() }
    }
}

impl Clock for BootTime {
    fn now(&self) -> Moment {
        nix::time::ClockId::CLOCK_BOOTTIME
            .now()
            .map_or_else(|_| self.begin.elapsed(), Duration::from)
    }

    fn until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if let Some(timer) = timer(moment) {
                // An error is as good a reason to look at the clock.
                let _ = timer.readable().await;
            }
            // There is no timer, if no descriptor is left.
            while let Some(left) = moment.checked_sub(self.now()).filter(|left| !left.is_zero()) {
                tokio::time::sleep(left).await;
            }
        })
    }
}

#[allow(deprecated, reason = "unsound for descriptors that are not owned; this one is")]
fn timer(moment: Moment) -> Option<AsyncFd<OwnedFd>> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags).ok()?;
    // A timer at zero would be switched off.
    let at = TimeSpec::from_duration(moment.max(Duration::from_nanos(1)));
    timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME).ok()?;
    AsyncFd::with_interest(OwnedFd::from(timer), Interest::READABLE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits_until_then_and_not_for_what_is_past() {
        let clock = BootTime::default();
        let begin = clock.now();
        let then = begin + Duration::from_millis(30);
        clock.until(then).await;
        assert!(clock.now() >= then);
        clock.until(begin).await;
        clock.until(Duration::ZERO).await;
        assert!(timer(begin).is_some(), "CLOCK_BOOTTIME has timers");
    }
}
