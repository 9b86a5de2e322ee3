//! What can be wrong with a definition or a sample.

use thiserror::Error;

/// Why a metric cannot be registered.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DefinitionError {
    /// Not a metric's name.
    #[error("{0:?} is not a metric's name: letters, digits, _ and :, no digit first")]
    Name(String),
    /// Not a label's name, or one that means something else.
    #[error("metric {metric}: {label:?} {reason}")]
    Label {
        /// The metric's name.
        metric: String,
        /// The label's name.
        label: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another metric has series of that name.
    #[error("metric {metric}: the name {series} is taken by metric {by}")]
    Taken {
        /// The metric's name.
        metric: String,
        /// The name that both have: the metric's own, or one with `_bucket`, `_count`, `_sum`.
        series: String,
        /// Who has it.
        by: String,
    },
    /// Not the upper bounds of buckets.
    #[error("buckets must be at least one finite number, each larger than the one before")]
    Buckets,
    /// Not quantiles, or not a window.
    #[error("quantiles must be different numbers from 0 to 1, over a window longer than 0 s")]
    Quantiles,
}

/// Why a sample is refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RecordError {
    /// No metric of that name is defined by the configuration. The program's own metrics are not
    /// for others to set.
    #[error("no metric {0:?} is defined: want the whole name of one, as /metrics shows it")]
    Unknown(String),
    /// NaN or an infinity, in a metric that adds its samples up.
    #[error("metric {name}: {value} is not a finite number")]
    NotFinite {
        /// The metric's name.
        name: String,
        /// The sample.
        value: f64,
    },
    /// A counter cannot go down.
    #[error("metric {name}: a counter cannot be changed by {value}")]
    Negative {
        /// The metric's name.
        name: String,
        /// The sample.
        value: f64,
    },
}
