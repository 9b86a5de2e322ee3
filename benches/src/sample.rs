//! What was measured of one figure of one program, and how it reads.

/// Values of one figure, at least one.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    sorted: Vec<f64>,
}

impl Sample {
    /// `None` if nothing was measured.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then_some(Self { sorted })
    }

    pub(crate) fn min(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn max(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(f64::NAN)
    }

    /// The middle value; of an even number the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        let at = |index: usize| self.sorted.get(index).copied().unwrap_or(f64::NAN);
        if self.sorted.len() % 2 == 1 { at(middle) } else { (at(middle - 1) + at(middle)) / 2.0 }
    }

    /// `min median max`, or the value if there was one only.
    pub(crate) fn text(&self) -> String {
        let value = |value: f64| {
            let digits = match value.abs() {
                100.0.. => 0,
                10.0.. => 1,
                _ => 2,
            };
            format!("{value:.digits$}")
        };
        if self.sorted.len() == 1 {
            return value(self.median());
        }
        format!("{} {} {}", value(self.min()), value(self.median()), value(self.max()))
    }
}

/// What a figure must be; the median decides, since on a shared machine the extremes tell about
/// the others on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Budget {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Printed for comparison.
    None,
}

impl Budget {
    pub(crate) fn is_met(self, sample: &Sample) -> bool {
        match self {
            Budget::AtMost(limit) => sample.median() <= limit,
            Budget::AtLeast(limit) => sample.median() >= limit,
            Budget::None => true,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Budget::AtMost(limit) => format!("<= {limit}"),
            Budget::AtLeast(limit) => format!(">= {limit}"),
            Budget::None => "-".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(Sample::of([3.0, 1.0, 2.0]).unwrap().text(), "1.00 2.00 3.00");
        assert_eq!(Sample::of([4.0, 1.0]).unwrap().median(), 2.5);
        assert_eq!(Sample::of([312.4]).unwrap().text(), "312");
        assert!(Sample::of([]).is_none());
    }

    #[test]
    fn a_budget_can_be_missed_on_either_side() {
        let sample = Sample::of([1.0, 2.0, 9.0]).unwrap();
        assert!(Budget::AtMost(2.0).is_met(&sample) && !Budget::AtMost(1.9).is_met(&sample));
        assert!(Budget::AtLeast(2.0).is_met(&sample) && !Budget::AtLeast(2.1).is_met(&sample));
        assert!(Budget::None.is_met(&sample));
    }
}
