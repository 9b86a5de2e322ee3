//! 2.x sensors: timed jobs whose output is the value of a metric.

use std::{collections::HashMap, time::Duration};

use config::{Config, job::JobId};
use process::Capture;
use tokio::task::JoinSet;

/// The longest output that is read for a number, in bytes.
const LONGEST: usize = 4096;

/// How long after a sensor's exit its output may still be on its way (or be held open by a
/// descendant that has inherited it).
const PATIENCE: Duration = Duration::from_secs(1);

/// Which jobs are sensors, and their outputs that are being read.
#[derive(Default)]
pub(super) struct Sensors {
    metrics: HashMap<JobId, String>,
    readings: JoinSet<Reading>,
}

/// What a sensor has said.
pub(super) struct Reading {
    /// The metric that it is for.
    pub(super) metric: String,
    /// The number, or why there is none.
    pub(super) value: Result<f64, String>,
}

impl Sensors {
    /// From now on these are the sensors. What is being read already still counts.
    pub(super) fn describe(&mut self, config: &Config) {
        let metrics = config.telemetry.iter().flat_map(|telemetry| &telemetry.metrics);
        self.metrics =
            metrics.filter_map(|metric| Some((metric.sensor?, metric.name.clone()))).collect();
    }

    /// Where a process of this job writes; `None` if it is no sensor.
    pub(super) fn capture(&self, job: JobId) -> Option<Capture> {
        self.metrics.contains_key(&job).then(|| Capture::new(LONGEST))
    }

    /// A sensor has exited with success: its output is read.
    pub(super) fn exited(&mut self, job: JobId, capture: Capture) {
        let Some(metric) = self.metrics.get(&job).cloned() else { return };
        self.readings.spawn(async move {
            let output = match tokio::time::timeout(PATIENCE, capture.finished()).await {
                Ok(output) => output,
                Err(_) => capture.so_far(),
            };
            Reading { metric, value: number(&output) }
        });
    }

    /// The next reading. Cancel safe.
    pub(super) async fn next(&mut self) -> Reading {
        loop {
            match self.readings.join_next().await {
                Some(Ok(reading)) => return reading,
                // Never: none is aborted, and a panic would have ended the program.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// One float, as Go reads it, with white space around it.
fn number(output: &[u8]) -> Result<f64, String> {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    text.parse().map_err(|_| match text {
        "" => "it has written nothing to stdout; want one number".to_owned(),
        text => {
            let shown: String = text.chars().take(60).collect();
            format!("{shown:?} is not a number; want one number on stdout and nothing else")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_nothing_else() {
        assert_eq!(number(b" 42.5\n"), Ok(42.5));
        assert_eq!(number(b"-1e3"), Ok(-1000.0));
        assert!(number(b"").unwrap_err().contains("written nothing"));
        assert!(number(b"load: 3").unwrap_err().contains("\"load: 3\" is not a number"));
    }
}
