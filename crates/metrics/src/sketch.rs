//! Quantiles of any number of samples in bounded memory.
//!
//! A bucket holds the samples between two powers of a base, so that its middle is within 1 % of
//! each of them. When there are too many buckets, each two neighbours become one: the base is
//! squared, and the error about doubled, for all samples alike.

/// ln((1 + e) / (1 - e)) for the relative error e = 0.01.
const WIDTH: f64 = 0.020_000_666_706_669_544;

/// Added to the exponent so that it is positive for every float; a power of two larger than
/// 745 / [`WIDTH`], so that it can be halved as often as buckets can be.
const SHIFT: u32 = 16;

/// Buckets of 8 bytes each. Samples over four decades need 461.
const LIMIT: usize = 512;

/// Samples counted by magnitude. They must be finite.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    /// How often the base was squared.
    level: u32,
    /// Ordered as the samples are: the sign of a sample times its shifted exponent; zero for zero.
    buckets: Vec<(i32, u32)>,
    min: f64,
    max: f64,
}

impl Default for Sketch {
    fn default() -> Self {
        Sketch { level: 0, buckets: Vec::new(), min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Sketch {
    /// Counts a sample.
    pub(crate) fn add(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let index = index(value);
        self.count(index, 1);
    }

    /// Counts all samples of another one too.
    pub(crate) fn merge(&mut self, other: &Sketch) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        while self.level < other.level {
            self.coarsen();
        }
        for (index, count) in &other.buckets {
            // Any index at the finest level that leads to this one: its bucket's upper end.
            self.count(index << other.level, *count);
        }
    }

    /// The value below which lies that part (0 to 1) of the samples, within 1 % if they span less
    /// than four decades; the first and the last are exact. NaN if there is none.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let total: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = (part * total as f64).ceil() as u64;
        if total == 0 {
            return f64::NAN;
        } else if rank <= 1 {
            return self.min;
        } else if rank >= total {
            return self.max;
        }
        let mut seen = 0;
        for (index, count) in &self.buckets {
            seen += u64::from(*count);
            if seen >= rank {
                return self.middle(*index).max(self.min).min(self.max);
            }
        }
        self.max
    }

    /// Counts samples of one index of the finest level.
    fn count(&mut self, index: i32, count: u32) {
        loop {
            let coarse = coarse(index, self.level);
            match self.buckets.binary_search_by_key(&coarse, |(index, _)| *index) {
                Ok(n) => {
                    if let Some((_, old)) = self.buckets.get_mut(n) {
                        *old = old.saturating_add(count);
                    }
                    return;
                }
                Err(n) if self.buckets.len() < LIMIT => {
                    return self.buckets.insert(n, (coarse, count));
                }
                Err(_) => self.coarsen(),
            }
        }
    }

    /// Makes one bucket of each two.
    fn coarsen(&mut self) {
        self.level += 1;
        for (index, _) in &mut self.buckets {
            *index = coarse(*index, 1);
        }
        self.buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
    }

    /// The value with the least relative error for a bucket.
    fn middle(&self, index: i32) -> f64 {
        if index == 0 {
            return 0.0;
        }
        let width = WIDTH * f64::from(1_u32 << self.level.min(SHIFT));
        let exponent =
            f64::from(index.abs()) - f64::from(1_u32 << SHIFT.saturating_sub(self.level));
        let upper = (width * exponent).exp();
        (upper * 2.0 / (1.0 + width.exp())).copysign(f64::from(index))
    }
}

/// The index of a finite value at the finest level.
fn index(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    // Between -37,220 and 35,489 for every float, so that the sum is positive.
    let exponent = (value.abs().ln() / WIDTH).ceil() as i32;
    let shifted = exponent + (1 << SHIFT);
    if value > 0.0 { shifted } else { -shifted }
}

/// An index that many levels coarser: the magnitude is rounded up, as a bucket is known by its
/// outer end.
fn coarse(index: i32, levels: u32) -> i32 {
    let levels = levels.min(SHIFT);
    let magnitude = (index.abs() + (1 << levels) - 1) >> levels;
    magnitude * index.signum()
}

#[cfg(test)]
mod tests;
