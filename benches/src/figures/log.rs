//! How fast a job's lines of 100 bytes pass through the log, by the bytes that the job wrote.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{SpliceFFlags, splice};

use super::{Row, row};
use crate::contender::{Contender, Kind};
use crate::role::{self, LINE};
use crate::sample::{Budget, Sample};
use crate::scenario::{Generation, Scenario, Streams};
use crate::started::Started;

const BUDGET: Budget = Budget::AtLeast(400.0);
const TRIALS: usize = 5;
/// Enough to make the start unimportant, few enough for a program that is fifty times as slow.
const LINES: usize = 10_000_000;
const LINES_OF_PEER: usize = 500_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the log goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sink {
    Null,
    /// A pipe that we drain without copying.
    Pipe,
}

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let samples = |contender: &Contender, sink| {
        // Without an init the same lines go straight to the pipe: what the pipe itself can do.
        let sensible =
            contender.is_configurable() || (contender.kind == Kind::Bare && sink == Sink::Pipe);
        if !sensible {
            return Ok(None);
        }
        let trials: Result<Option<Vec<f64>>> =
            (0..TRIALS).map(|_| trial(contender, sink)).collect();
        Ok(trials?.and_then(Sample::of))
    };
    Ok(vec![
        row("lines logged to /dev/null, MB/s", BUDGET, contenders, |contender| {
            samples(contender, Sink::Null)
        }),
        row("lines logged to a drained pipe, MB/s", BUDGET, contenders, |contender| {
            samples(contender, Sink::Pipe)
        }),
    ])
}

/// In megabytes a second, the start and the end of the program included.
fn trial(contender: &Contender, sink: Sink) -> Result<Option<f64>> {
    let lines = if matches!(contender.kind, Kind::Peer(..)) { LINES_OF_PEER } else { LINES };
    let bytes = (lines * LINE) as f64;
    let scenario = Scenario {
        generation: Generation::Three,
        streams: Streams::Logged,
        ..Scenario::of(role::writer(lines)?)
    };
    let stdout = if sink == Sink::Null { Stdio::null() } else { Stdio::piped() };
    let start = Instant::now();
    let Some(mut started) = Started::new(contender, &scenario, stdout, None)? else {
        return Ok(None);
    };
    if let Some(mut stdout) = started.take_stdout() {
        let drained = drain(&mut stdout)? as f64;
        ensure!(drained >= bytes, "{drained} bytes came of {bytes}: lines were lost");
    }
    let status = started.ended(PATIENCE)?;
    let time = start.elapsed();
    ensure!(status.success(), "it ended with {status}");
    Ok(Some(bytes / 1e6 / time.as_secs_f64()))
}

/// Discards all that comes, and counts it.
fn drain(pipe: &mut ChildStdout) -> Result<u64> {
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    let mut total = 0;
    loop {
        let moved = splice(pipe.as_fd(), None, null.as_fd(), None, 1 << 20, SpliceFFlags::empty());
        match moved.context("cannot drain the pipe")? {
            // Both mean the end; a read makes sure of it.
            0 => return Ok(total + pipe.read(&mut [0; 1])? as u64),
            moved => total += moved as u64,
        }
    }
}
