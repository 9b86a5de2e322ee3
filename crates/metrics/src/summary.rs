//! Quantiles of the samples of the last minutes.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::family::{Metric, Sample};
use crate::sketch::Sketch;
use crate::text::{Labels, Text};
use crate::{Quantiles, lock};

/// A window moves on by a part of itself at a time.
const PARTS: u32 = 5;

/// Quantiles of the samples within a sliding window, and the sum and the count of all samples
/// ever. Clones observe together.
#[derive(Clone, Debug)]
pub struct Summary(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quantiles: Quantiles,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sum: f64,
    count: u64,
    /// When the first sample came: time is divided into slots of a fifth of the window from here.
    start: Option<Instant>,
    /// The slots of the window in which there were samples, oldest first.
    parts: Vec<(u128, Sketch)>,
}

impl Summary {
    /// Takes a sample; one that is not finite is ignored.
    pub fn observe(&self, value: f64, now: Instant) {
        if !value.is_finite() {
            return;
        }
        let mut state = lock(&self.0.state);
        state.sum += value;
        state.count += 1;
        let slot = state.advance(now, &self.0.quantiles);
        match state.parts.last_mut() {
            // A clock that was read a little earlier belongs to the newest part.
            Some((last, sketch)) if *last >= slot => sketch.add(value),
            _ => {
                let mut sketch = Sketch::default();
                sketch.add(value);
                state.parts.push((slot, sketch));
            }
        }
    }
}

impl State {
    /// The slot of `now`. What has left the window is forgotten.
    fn advance(&mut self, now: Instant, quantiles: &Quantiles) -> u128 {
        let start = *self.start.get_or_insert(now);
        let elapsed = now.saturating_duration_since(start).as_nanos();
        let length = (quantiles.max_age.as_nanos() / u128::from(PARTS)).max(1);
        let slot = elapsed / length;
        self.parts.retain(|(part, _)| part + u128::from(PARTS) > slot);
        slot
    }
}

impl Metric for Summary {}

impl Sample for Summary {
    type Shape = Quantiles;

    fn new(quantiles: &Quantiles) -> Self {
        Summary(Arc::new(Inner { quantiles: quantiles.clone(), state: Mutex::default() }))
    }

    fn record(&self, value: f64, now: Instant) {
        self.observe(value, now);
    }

    fn write(&self, text: &mut Text, name: &str, labels: Labels<'_>, now: Instant) {
        let mut state = lock(&self.0.state);
        if state.start.is_some() {
            state.advance(now, &self.0.quantiles);
        }
        let mut window = Sketch::default();
        for (_, part) in &state.parts {
            window.merge(part);
        }
        for rank in self.0.quantiles.ranks.iter() {
            let value = window.quantile(*rank);
            text.sample((name, ""), labels, Some(("quantile", *rank)), value);
        }
        text.sample((name, "_sum"), labels, None, state.sum);
        text.count((name, "_count"), labels, None, state.count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn render(summary: &Summary, now: Instant) -> Vec<String> {
        let mut text = Text::new();
        summary.write(&mut text, "s", Labels { names: &[], values: &[] }, now);
        // Quantiles are within 1 %.
        let rounded = |value: f64| value.round().to_string();
        let values = text.into_string();
        let values = values.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap());
        values.map(rounded).collect()
    }

    fn summary() -> (Summary, Instant) {
        let median = Quantiles::new(&[0.5], Duration::from_secs(100)).unwrap();
        (Summary::new(&median), Instant::now())
    }

    #[test]
    fn the_window_slides_in_parts_and_the_totals_stay() {
        let (summary, start) = summary();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(render(&summary, start), ["NaN", "0", "0"]);
        summary.observe(1.0, at(0));
        summary.observe(5.0, at(30));
        summary.observe(5.0, at(35));
        assert_eq!(render(&summary, at(99))[0], "5");
        summary.observe(7.0, at(99));
        summary.observe(9.0, at(99));
        summary.observe(9.0, at(99));
        // 1, 5, 5, 7, 9, 9; then without the 1; then without the fives.
        assert_eq!(render(&summary, at(99))[0], "5");
        assert_eq!(render(&summary, at(100))[0], "7");
        assert_eq!(render(&summary, at(120))[0], "9");
        assert_eq!(render(&summary, at(179)), ["9", "36", "6"]);
        assert_eq!(render(&summary, at(180)), ["NaN", "36", "6"]);
        summary.observe(2.0, at(10_000));
        assert_eq!(render(&summary, at(10_001)), ["2", "38", "7"]);
    }

    #[test]
    fn an_earlier_clock_is_harmless() {
        let (summary, start) = summary();
        summary.observe(1.0, start + Duration::from_secs(50));
        summary.observe(1.0, start);
        assert_eq!(render(&summary, start), ["1", "2", "2"]);
    }

    #[test]
    fn what_would_spoil_the_sum_is_ignored() {
        let (summary, start) = summary();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            summary.observe(value, start);
        }
        assert_eq!(render(&summary, start), ["NaN", "0", "0"]);
    }

    #[test]
    fn memory_is_bounded_by_the_parts() {
        let (summary, start) = summary();
        for second in 0..100_000 {
            summary.observe(1.0, start + Duration::from_secs(second));
        }
        assert_eq!(lock(&summary.0.state).parts.len(), PARTS as usize);
    }
}
