//! Executable shell scripts: scripted children, checks and hooks.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Writes `#!/bin/sh` and `body` to `folder/name`, executable, and returns the path.
///
/// A shell writes it rather than this process: another thread of this process that forked while
/// the file was open for writing would make its first execution fail with "text file busy".
#[track_caller]
pub fn write_script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    let mut shell = Command::new("/bin/sh")
        .args(["-c", r#"cat >"$1" && chmod 755 "$1""#, "sh"])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("/bin/sh runs");
    let mut input = shell.stdin.take().expect("stdin is piped");
    input.write_all(format!("#!/bin/sh\n{body}\n").as_bytes()).expect("the shell reads");
    drop(input);
    // A test that reaps every child of this process may have been faster: the file tells.
    let _ = shell.wait();
    assert!(path.is_file(), "{} was not written", path.display());
    path
}
