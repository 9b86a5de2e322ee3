//! Ends as its argument says. `make test` builds it as the static program is built, for the test of
//! what such a program can still say (`tests/lean.rs`).

#![allow(clippy::panic, reason = "that is what it is for")]

fn main() {
    // What is not used is not linked.
    process::release_code();
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panic!("last words"),
        Some("thread") => {
            let _ = std::thread::spawn(|| panic!("last words of a thread")).join();
        }
        Some("backtrace") => println!("{}", std::backtrace::Backtrace::force_capture()),
        Some("overflow") => println!("{}", deep(u64::MAX)),
        _ => println!("{}", deep(1_000)),
    }
}

fn deep(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    let below = if depth == 0 { 0 } else { deep(std::hint::black_box(depth - 1)) };
    below + frame.iter().min().map_or(0, |_| 1)
}
