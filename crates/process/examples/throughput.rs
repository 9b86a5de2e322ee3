//! How fast children's lines pass: `cargo run --release -p process --example throughput [SINK [CHILDREN]]`.
//! Each child writes 2 GB in lines of 100 bytes; SINK is a path, /dev/null by default, or `-`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use process::{Group, LineFormat, Output, Pid, Processes, Sink, Source, Spec, Streams};

/// A time's worth of bytes, the name and the pid before each line.
struct Prefix;

impl LineFormat for Prefix {
    fn wants(&self, _level: log::Level) -> bool {
        true
    }

    fn line(
        &mut self,
        source: &Source,
        pid: Pid,
        _level: log::Level,
        line: &[u8],
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"2026-01-01T00:00:00Z ");
        out.extend_from_slice(source.name.as_bytes());
        out.push(b' ');
        let mut digits = [b'0'; 10];
        let mut rest = pid.as_raw().unsigned_abs();
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
        out.push(b' ');
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    const EACH: u64 = 2_000_000_000;
    let mut args = std::env::args().skip(1);
    let sink = match args.next().as_deref() {
        Some("-") => Sink::Stdout,
        Some(path) => Sink::File(path.into()),
        None => Sink::File("/dev/null".into()),
    };
    let count: u64 = args.next().map_or(Ok(1), |count| count.parse())?;
    let output = Output::start(sink, Box::new(Prefix))?;
    let mut processes = Processes::start(output.clone())?;
    let environment =
        BTreeMap::from([("PATH".into(), std::env::var_os("PATH").unwrap_or_default())]);
    let script = format!("yes {} | head -c {EACH}", "x".repeat(99));
    let args = ["-c".to_owned(), script];
    memory("start")?;
    let start = Instant::now();
    for i in 0..count {
        let source = Source::new(format!("child-{i}"), log::Level::Info, log::Level::Info);
        let streams = Streams::Lines { source: Arc::new(source) };
        let environment = &environment;
        let spec = Spec {
            program: "sh",
            args: &args,
            environment,
            directory: None,
            identity: None,
            streams,
            group: Group::Own,
        };
        processes.spawn(&spec)?;
    }
    while processes.running() > 0 {
        processes.next_exit().await;
    }
    output.finish(Duration::from_secs(10));
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = (EACH * count) as f64 / 1e6;
    let own = own_seconds()?;
    eprintln!("{:.0} MB/s; {:.0} MB in a second of our own", megabytes / seconds, megabytes / own);
    memory("busy")?;
    std::thread::sleep(Duration::from_millis(1500));
    memory("idle")?;
    Ok(())
}

/// How long we (not our children) have had a processor: what counts if others are busy too.
fn own_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: Result<Vec<u32>, _> = fields.map(str::parse).collect();
    Ok(f64::from(ticks?.iter().sum::<u32>()) / 100.0)
}

/// Prints our resident memory.
fn memory(when: &str) -> std::io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
    {
        eprintln!("{when}: {line}");
    }
    Ok(())
}
