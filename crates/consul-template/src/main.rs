//! `consul-template` alone, for its tests: what is shipped is `containerpilot`, called by that name.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    consul_template::main(std::env::args_os().skip(1).map(OsString::into_string).collect())
}
