//! The page in a real browser; `browser.py` says what is done and seen.

use std::path::Path;
use std::time::Duration;

use testkit::{Ended, Program, free_port};

/// It takes some fifteen seconds.
const SOON: Duration = Duration::from_secs(240);

#[test]
fn the_page_shows_what_is_so() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.py");
    let mut running = Program::new("python3")
        .arg(script)
        .args([env!("CARGO_BIN_EXE_catalog-server"), &free_port().to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .spawn();
    let done = running.wait(SOON);
    let hint = "(it needs python3 and what scripts/install-chromium installs)";
    assert_eq!(done.ended, Ended::Code(0), "{hint}\n{}\n{}", done.stdout, done.stderr);
}
