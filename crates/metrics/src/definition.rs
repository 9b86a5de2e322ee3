//! What a metric is: name, help, kind, and which of them are valid.

use std::sync::Arc;
use std::time::Duration;

use crate::{DefinitionError, RecordError};

/// A metric without labels, as a configuration defines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The full name.
    pub name: String,
    /// Help text; anything, even nothing.
    pub help: String,
    /// The kind.
    pub kind: Kind,
}

/// Kinds of metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Only goes up: samples are added.
    Counter,
    /// Samples replace each other.
    Gauge,
    /// Samples are counted in buckets.
    Histogram(Buckets),
    /// Samples are kept for quantiles over a sliding window.
    Summary(Quantiles),
}

impl Kind {
    /// The word of the text format.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
            Kind::Summary(_) => "summary",
        }
    }

    /// What is appended to the family's name in the names of its series.
    pub(crate) fn suffixes(&self) -> &'static [&'static str] {
        match self {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram(_) => &["", "_bucket", "_sum", "_count"],
            Kind::Summary(_) => &["", "_sum", "_count"],
        }
    }

    /// Whether a sample from outside can be taken.
    pub(crate) fn check(&self, name: &str, value: f64) -> Result<(), RecordError> {
        let name = || name.to_owned();
        match self {
            Kind::Gauge => Ok(()),
            _ if !value.is_finite() => Err(RecordError::NotFinite { name: name(), value }),
            Kind::Counter if value < 0.0 => Err(RecordError::Negative { name: name(), value }),
            _ => Ok(()),
        }
    }
}

/// The upper bounds of a histogram's buckets, each inclusive. There is always one more, `+Inf`.
///
/// The default is that of Prometheus' clients: 11 buckets for seconds, from 0.005 to 10.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets(pub(crate) Arc<[f64]>);

impl Buckets {
    /// Buckets with these bounds, ascending; a last one of `+Inf` is implied.
    ///
    /// # Errors
    /// [`DefinitionError::Buckets`] if there is none, one is not finite or they do not ascend.
    pub fn new(bounds: &[f64]) -> Result<Self, DefinitionError> {
        let bounds = match bounds {
            [bounds @ .., last] if *last == f64::INFINITY => bounds,
            bounds => bounds,
        };
        let valid = !bounds.is_empty()
            && bounds.iter().all(|bound| bound.is_finite())
            && bounds.iter().zip(bounds.iter().skip(1)).all(|(one, next)| one < next);
        if valid { Ok(Buckets(bounds.into())) } else { Err(DefinitionError::Buckets) }
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0].into())
    }
}

/// What a summary tells, and over which time.
///
/// The default is the quantiles 0.5, 0.9 and 0.99 over ten minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    pub(crate) ranks: Arc<[f64]>,
    pub(crate) max_age: Duration,
}

impl Quantiles {
    /// These quantiles, each from 0 to 1, of the samples that are not older than `max_age`. None
    /// at all is allowed: then a summary is a sum and a count.
    ///
    /// # Errors
    /// [`DefinitionError::Quantiles`] if one is out of range or there twice, or `max_age` is zero.
    pub fn new(ranks: &[f64], max_age: Duration) -> Result<Self, DefinitionError> {
        let mut ranks = ranks.to_vec();
        ranks.sort_unstable_by(f64::total_cmp);
        let valid = !max_age.is_zero()
            && ranks.iter().all(|rank| (0.0..=1.0).contains(rank))
            && ranks.iter().zip(ranks.iter().skip(1)).all(|(one, next)| one != next);
        if valid {
            Ok(Quantiles { ranks: ranks.into(), max_age })
        } else {
            Err(DefinitionError::Quantiles)
        }
    }
}

impl Default for Quantiles {
    fn default() -> Self {
        Quantiles { ranks: [0.5, 0.9, 0.99].into(), max_age: Duration::from_secs(600) }
    }
}

/// Checks a metric's name.
pub(crate) fn check_name(name: &str) -> Result<(), DefinitionError> {
    let colon = |c: char| c == ':' || c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(colon)
        && !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        Ok(())
    } else {
        Err(DefinitionError::Name(name.to_owned()))
    }
}

/// Checks the names of a metric's labels.
pub(crate) fn check_labels(
    metric: &str,
    kind: &Kind,
    labels: &[&str],
) -> Result<(), DefinitionError> {
    for (n, label) in labels.iter().enumerate() {
        let reason = match (*label, kind) {
            ("le", Kind::Histogram(_)) => "is the label of a histogram's buckets",
            ("quantile", Kind::Summary(_)) => "is the label of a summary's quantiles",
            _ if label.starts_with("__") => "is a label of Prometheus' own",
            _ if label.contains(':') || check_name(label).is_err() => {
                "is not a label's name: letters, digits and _, no digit first"
            }
            _ if labels.iter().take(n).any(|other| other == label) => "is there twice",
            _ => continue,
        };
        return Err(DefinitionError::Label {
            metric: metric.to_owned(),
            label: (*label).to_owned(),
            reason,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "_", ":", "a:b_C9", "__x"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "9a", "a-b", "a b", "ä", "a\n", "a{"] {
            assert_eq!(check_name(name), Err(DefinitionError::Name(name.into())));
        }
    }

    #[test]
    fn labels() {
        let histogram = Kind::Histogram(Buckets::default());
        let summary = Kind::Summary(Quantiles::default());
        assert_eq!(check_labels("m", &Kind::Gauge, &["le", "quantile", "_a9"]), Ok(()));
        let wrong: [(&Kind, &[&str], &str); 7] = [
            (&histogram, &["a", "le"], "buckets"),
            (&summary, &["quantile"], "quantiles"),
            (&Kind::Gauge, &["__a"], "Prometheus"),
            (&Kind::Gauge, &["a:b"], "not a label's name"),
            (&Kind::Gauge, &[""], "not a label's name"),
            (&Kind::Gauge, &["9"], "not a label's name"),
            (&Kind::Gauge, &["a", "b", "a"], "\"a\" is there twice"),
        ];
        for (kind, labels, part) in wrong {
            let error = check_labels("m", kind, labels).unwrap_err().to_string();
            assert!(error.starts_with("metric m: ") && error.contains(part), "{error}");
        }
    }

    #[test]
    fn buckets() {
        let inf = f64::INFINITY;
        assert_eq!(Buckets::new(&[-1.0, 2.0, inf]), Buckets::new(&[-1.0, 2.0]));
        for bounds in [&[][..], &[inf], &[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[-inf, 1.0]] {
            assert_eq!(Buckets::new(bounds), Err(DefinitionError::Buckets), "{bounds:?}");
        }
    }

    #[test]
    fn quantiles() {
        let minute = Duration::from_secs(60);
        assert_eq!(&*Quantiles::new(&[1.0, 0.0, 0.5], minute).unwrap().ranks, [0.0, 0.5, 1.0]);
        assert!(Quantiles::new(&[], minute).is_ok());
        for ranks in [&[-0.1][..], &[1.1], &[f64::NAN], &[0.5, 0.9, 0.5]] {
            assert_eq!(Quantiles::new(ranks, minute), Err(DefinitionError::Quantiles));
        }
        assert_eq!(Quantiles::new(&[0.5], Duration::ZERO), Err(DefinitionError::Quantiles));
    }
}
