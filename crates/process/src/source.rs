//! Whose lines are logged, and what is kept of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::{memchr, memrchr};
use tokio::sync::Notify;

/// Whose lines are logged, and how loud. The pid is added when the process has one. One source
/// serves all processes that run one after another, or at once, under its name.
#[derive(Debug)]
pub struct Source {
    /// The name that the lines carry.
    pub name: String,
    /// The level of lines written to stdout.
    pub stdout: log::Level,
    /// The level of lines written to stderr.
    pub stderr: log::Level,
    /// Whether each line tells its level itself, so that all must be read, whatever the log wants.
    pub structured: bool,
    tail: Option<Writing>,
    lines: AtomicU64,
    bytes: AtomicU64,
}

/// How much was logged for a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Lines that were formatted for the log, also those that its sink then refused. The pieces of
    /// a line that is too long to be kept whole count each.
    pub lines: u64,
    /// Bytes of these as the process wrote them, ends of lines included.
    pub bytes: u64,
}

impl Source {
    /// A source of which nothing was logged yet, without a tail.
    pub fn new(name: String, stdout: log::Level, stderr: log::Level) -> Source {
        let (lines, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Source { name, stdout, stderr, structured: false, tail: None, lines, bytes }
    }

    /// Keeps the last lines in `tail`, those too whose level the log does not want.
    #[must_use]
    pub fn with_tail(self, tail: Tail) -> Source {
        Source { tail: Some(Writing(tail)), ..self }
    }

    /// Every line tells its level itself: the format decides line by line.
    #[must_use]
    pub fn structured(self) -> Source {
        Source { structured: true, ..self }
    }

    /// How much was logged since the source was made.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            lines: self.lines.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref().map(|Writing(tail)| tail)
    }

    pub(crate) fn count(&self, lines: u64, bytes: usize) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A tail as long as somebody may write to it.
#[derive(Debug)]
struct Writing(Tail);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.0.ended.store(true, Ordering::Release);
        self.0.0.end.notify_waiters();
    }
}

/// The last lines of a source, for a page of its state: 1 KiB at most, of stdout and stderr in the
/// order in which they were read. Clones share them: one goes to [`Source::with_tail`], the other
/// is read.
///
/// Lines are read a moment after they were written, by a thread of their own: right after an exit
/// the very last may still be missing. [`Tail::finished`] waits for them.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: Mutex<Vec<u8>>,
    /// Whether its source is no more.
    ended: AtomicBool,
    end: Notify,
}

impl Tail {
    /// The most that is kept, in bytes.
    pub const LIMIT: usize = 1 << 10;

    /// An empty one. Memory is taken with the first line.
    pub fn new() -> Tail {
        Tail::default()
    }

    /// The lines, each with its end, but for the last; what is no UTF-8 is replaced. Of a line that
    /// alone is longer than the limit, its beginning. Empty if there is nothing.
    pub fn text(&self) -> String {
        let kept = self.lock();
        String::from_utf8_lossy(kept.strip_suffix(b"\n").unwrap_or(&kept)).into_owned()
    }

    /// Waits until the source is no more: its last owner has dropped it, and all who could write to
    /// it, a process and whoever has inherited its streams, have closed them. Such a descendant
    /// delays this without limit: put a deadline around it. Cancel safe.
    pub async fn finished(&self) {
        loop {
            // Made before the look at the state: it is woken by an end after this point.
            let end = self.0.end.notified();
            if self.0.ended.load(Ordering::Acquire) {
                return;
            }
            end.await;
        }
    }

    /// Forgets the lines: what comes now belongs to another run.
    pub fn clear(&self) {
        *self.lock() = Vec::new();
    }

    /// Adds whole lines, each with its end.
    pub(crate) fn push(&self, lines: &[u8]) {
        let Some(start) = lines.len().checked_sub(Tail::LIMIT).filter(|&start| start > 0) else {
            return self.append(lines);
        };
        // The first line that begins within the limit; the one before that may end right there.
        let window = lines.get(start - 1..).unwrap_or_default();
        let end = memchr(b'\n', window).map_or(window.len(), |end| end + 1);
        match window.get(end..) {
            Some(fit @ [_, ..]) => self.append(fit),
            _ => {
                let last = lines.strip_suffix(b"\n").unwrap_or(lines);
                let begin = memrchr(b'\n', last).map_or(0, |end| end + 1);
                self.push_line(last.get(begin..).unwrap_or_default());
            }
        }
    }

    /// Adds one line, or the first piece of one, without its end.
    pub(crate) fn push_line(&self, line: &[u8]) {
        let mut line = line.get(..Tail::LIMIT - 1).unwrap_or(line).to_vec();
        line.push(b'\n');
        self.append(&line);
    }

    /// Adds lines that are within the limit, and drops as many of the oldest as must make room.
    fn append(&self, lines: &[u8]) {
        let mut kept = self.lock();
        let excess = (kept.len() + lines.len()).saturating_sub(Tail::LIMIT);
        if let Some(within) = excess.checked_sub(1) {
            // The excess ends within a line that goes as a whole.
            let rest = kept.get(within..).unwrap_or_default();
            let gone = memchr(b'\n', rest).map_or(kept.len(), |end| within + end + 1);
            kept.drain(..gone);
        }
        kept.extend_from_slice(lines);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tail must hold after these lines: as many whole ones as fit.
    fn expected(lines: &[String]) -> String {
        let mut kept: Vec<String> = Vec::new();
        let mut size = 0;
        for line in lines.iter().rev() {
            let line = line.get(..Tail::LIMIT - 1).unwrap_or(line);
            size += line.len() + 1;
            if size > Tail::LIMIT {
                break;
            }
            kept.push(line.to_owned());
        }
        kept.reverse();
        kept.join("\n")
    }

    #[test]
    fn the_last_whole_lines_are_kept_however_they_come() {
        // Lengths around every boundary, in pushes of one to many lines.
        for length in [0, 1, 7, 340, 341, 510, 511, 512, 1021, 1022, 1023, 1024, 1025, 5000] {
            for batch in [1, 2, 3, 50] {
                let tail = Tail::new();
                let mut all = Vec::new();
                for round in 0..12 {
                    let lines: Vec<String> = (0..batch)
                        .map(|n| format!("{round}.{n}.{}", "x".repeat(length + n % 3)))
                        .collect();
                    tail.push((lines.join("\n") + "\n").as_bytes());
                    all.extend(lines);
                    assert_eq!(tail.text(), expected(&all), "{length} {batch} {round}");
                    assert!(tail.lock().len() <= Tail::LIMIT);
                }
            }
        }
    }

    #[test]
    fn lines_that_fill_the_limit_exactly_are_all_kept() {
        let tail = Tail::new();
        let line = |c: &str| c.repeat(511) + "\n";
        let [a, b, c] = ["a", "b", "c"].map(line);
        tail.push((a.clone() + &b + &c).as_bytes());
        assert_eq!(tail.text() + "\n", b + &c);
        tail.push(a.as_bytes());
        assert_eq!(tail.text() + "\n", c + &a);
    }

    #[test]
    fn the_beginning_of_a_line_that_is_too_long_is_kept() {
        let tail = Tail::new();
        tail.push(b"before\n");
        tail.push_line(&[b'y'; 3000]);
        assert_eq!(tail.text(), "y".repeat(1023));
        tail.push_line(b"after");
        assert_eq!(tail.text(), "after");
        tail.push(b"\n\xff\n");
        assert_eq!(tail.text(), "after\n\n\u{fffd}");
        tail.clear();
        assert_eq!(tail.text(), "");
    }
}
