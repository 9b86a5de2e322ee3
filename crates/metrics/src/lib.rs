//! A registry of metrics and Prometheus' classic text format (0.0.4). It knows nothing of what is
//! measured.
//!
//! # Theory of operation
//!
//! A [`Registry`] is a table of families by name. Each family has a [`Kind`] and one series for
//! each set of label values. There are two ways in:
//!
//! * The program's own metrics are registered once, as [`Family`]s of a type. The number of labels
//!   is part of the type, so a wrong number of values does not compile. [`Family::with`] finds or
//!   makes a series and hands out its handle ([`Counter`], [`Gauge`], [`Histogram`], [`Summary`]):
//!   keep it, and counting is an atomic or a short lock on that series alone.
//! * What a configuration file defines is a list of [`Definition`]s. [`Registry::define`] makes
//!   the table equal to the list: what is the same keeps its values, what differs starts anew, what
//!   is no longer there goes. Samples for these come by name, from outside, through
//!   [`Registry::record`], and are checked.
//!
//! No two families may share the name of a series: a histogram `x` owns `x_bucket`, `x_sum` and
//! `x_count` too, since Prometheus would take another family's `x_count` for its own.
//!
//! **A summary's quantiles** are those of a sliding window, in five parts that expire one by one
//! (it spans between four fifths and all of `max_age`). A part is a sketch: samples are counted in
//! buckets of logarithmically equal width, so that a quantile is within 1 % of a true sample. Only
//! buckets in use take memory (8 bytes each); a part that needs more than 512 doubles the width of
//! all of them, so memory is bounded whatever the samples are: 21 kB a series. The crate
//! sketches-ddsketch keeps arrays instead: measured, 22 kB for 60 samples, and by its limits 160 kB
//! at worst.
//!
//! **Label values** may come from outside, so a family holds 1,000 series and counts what is beyond
//! in one whose label values are all `_overflow`.
//!
//! Time is a parameter. Nothing here fails at run time: a sample that would spoil a sum for ever
//! (NaN, an infinity, a negative step of a counter) is refused by [`Registry::record`] and ignored
//! by the handles.
//!
//! Memory, measured (x86_64, with glibc's rounding): a counter or a gauge 0.3 kB with its family,
//! a further set of two labels 0.2 kB; a histogram with the default buckets 0.6 kB; a summary
//! 0.5 kB, with 60 samples in its window 1.7 kB, with 10,000 or more 21.6 kB. Through a handle
//! nothing is allocated, but for the buckets of a summary. Code: about 30 kB.

mod counter;
mod definition;
mod error;
mod family;
mod gauge;
mod histogram;
mod registry;
mod sketch;
mod summary;
mod text;

pub use counter::Counter;
pub use definition::{Buckets, Definition, Kind, Quantiles};
pub use error::{DefinitionError, RecordError};
pub use family::{Family, Metric};
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use registry::Registry;
pub use summary::Summary;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The media type of what [`Registry::render`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a panic elsewhere left behind is as good as any: all writes under these locks are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
