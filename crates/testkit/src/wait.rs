//! The one way to wait.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(3);

/// What one look at the world says: done with a value, or not yet and what was seen instead.
pub trait Observation {
    /// What the wait yields.
    type Value;
    /// The value, or what was seen instead of it.
    fn observe(self) -> Result<Self::Value, String>;
}

impl Observation for bool {
    type Value = ();
    fn observe(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".into()) }
    }
}

impl<T> Observation for Option<T> {
    type Value = T;
    fn observe(self) -> Result<T, String> {
        self.ok_or_else(|| "None".into())
    }
}

/// The kind to prefer: the error says what was seen, and ends up in the failure.
impl<T, E: Display> Observation for Result<T, E> {
    type Value = T;
    fn observe(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks every few milliseconds until `look` yields (`true`, `Some`, `Ok`), and returns its value.
///
/// # Panics
/// When `deadline` has passed, with `what` and what was seen last. It looks at least twice, so a
/// machine that stood still for a while does not fail a test by itself.
#[track_caller]
pub fn wait_until<O: Observation>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> O,
) -> O::Value {
    let start = Instant::now();
    let mut late = false;
    loop {
        let seen = match look().observe() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        if late {
            panic!("waited {deadline:?} in vain until {what}; last seen: {seen}");
        }
        thread::sleep(POLL);
        late = start.elapsed() >= deadline;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn yields_the_value() {
        let mut looks = 0;
        let value = wait_until("three looks", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(value, 3);
    }

    #[test]
    #[should_panic(expected = "waited 20ms in vain until pigs fly; last seen: false")]
    fn fails_on_false() {
        wait_until("pigs fly", SHORT, || false);
    }

    #[test]
    #[should_panic(expected = "until pigs fly; last seen: None")]
    fn fails_on_none() {
        wait_until("pigs fly", SHORT, || None::<u8>);
    }

    #[test]
    #[should_panic(expected = "until pigs fly; last seen: they walk")]
    fn fails_with_what_was_seen() {
        wait_until("pigs fly", SHORT, || Err::<u8, _>("they walk"));
    }

    #[test]
    fn looks_once_more_after_the_deadline() {
        let mut looks = 0;
        wait_until("a second look", Duration::ZERO, || {
            looks += 1;
            looks == 2
        });
    }
}
