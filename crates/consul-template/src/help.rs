//! What the program says about itself.

use crate::{exit, table::FLAGS};

const ABOUT: &str = "\
consul-template renders files from what a catalog knows, and runs commands when they change.

usage: consul-template [flags]

Flags are written -flag value or -flag=value, with one dash or two.
";

const SIGNALS: [(&str, &str); 3] = [
    ("SIGTERM, SIGINT", "stop; with -exec, when its program has ended"),
    ("SIGHUP", "read the settings and the templates again"),
    ("others", "are passed on to the program of -exec"),
];

const EXAMPLE: &str = "
  consul-template -once -consul consul:8500 \\
    -template \"/etc/nginx/nginx.conf.ctmpl:/etc/nginx/nginx.conf:nginx -s reload\"
";

/// `-help`.
pub(crate) fn help() -> String {
    let mut text = ABOUT.to_owned();
    text.push_str(&flags::describe(&FLAGS));
    text.push_str("\nsignals:\n");
    for (signal, effect) in SIGNALS {
        text.push_str(&format!("  {signal:<17} {effect}\n"));
    }
    text.push_str("\nexit code:\n");
    for (code, meaning) in exit::CODES {
        text.push_str(&format!("  {code:<4} {meaning}\n"));
    }
    text.push_str("\nexample:\n");
    text.push_str(EXAMPLE.trim_start_matches('\n'));
    text
}

/// `-version`.
pub(crate) fn version() -> String {
    format!("consul-template of containerpilot {}\n", env!("CARGO_PKG_VERSION"))
}
