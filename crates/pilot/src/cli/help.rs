//! What the program says about itself: `-help`, the man page, completions. All of it is made from
//! the table of flags.

use std::fmt::Write as _;

use flags::{Flag, head};

use super::table::{GROUPS, all};

const ABOUT: &str = "\
containerpilot starts an application in its container, waits for what it depends on, checks its
health, registers it in a catalog, reacts to changes there, renders files from it, and stops
everything in order.
";

const USAGE: &str = "containerpilot [flags] [application [arguments...]]";

const SIGNALS: [(&str, &str); 4] = [
    ("SIGTERM, SIGINT", "stop in order; SIGINT twice: kill what is left"),
    ("SIGHUP", "1.x/2.x: reload the configuration; 3.x: an event that jobs can wait for"),
    ("SIGUSR1", "1.x/2.x: enter or leave maintenance; all: reopen the log file"),
    ("SIGUSR2", "3.x: an event that jobs can wait for"),
];

const EXIT_CODES: &str = "\
The application's (128 + n if signal n killed it); 127 and 126 if it is missing or
cannot be executed; 1 if the configuration cannot be used, or a running program
does not do what it is told; 2 if the command line cannot be used.
";

const EXAMPLE: &str = "  {
    consul: 'localhost:8500',
    jobs: [{
      name: 'app',
      exec: 'python3 -m http.server 8080',
      port: 8080,
      health: { http: 'http://localhost:8080/', interval: 5, ttl: 15 },
    }],
  }
";

const LINK: &str = "\
Called through a link whose name begins with consul-template it is the program of that
name, for scripts that call it: consul-template -help.
";

/// `-help`.
pub(crate) fn help() -> String {
    let mut text = format!("{ABOUT}\nusage: {USAGE}\n\n");
    text.push_str("Flags are written -flag value or -flag=value, with one dash or two.\n");
    text.push_str(&flags::describe(&GROUPS));
    text.push_str(
        "\nEverything after the first word that is no flag belongs to the application (1.x/2.x\n\
         configurations; in a 3.x one the application is a job).\n\n",
    );
    let _ = write!(text, "{LINK}\nsignals:\n");
    for (signal, effect) in SIGNALS {
        let _ = writeln!(text, "  {signal:<17} {effect}");
    }
    let _ = write!(
        text,
        "\nexit code:\n{}\nA first configuration, to be run as `containerpilot -config app.json5`:\n\n{EXAMPLE}",
        indented(EXIT_CODES),
    );
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// `-manual`: a man page in roff's man macros.
pub(crate) fn manual() -> String {
    let mut page = format!(
        ".TH CONTAINERPILOT 1 \"\" \"containerpilot {}\"\n.SH NAME\n\
         containerpilot \\- lets any application operate itself inside its container\n\
         .SH SYNOPSIS\n.B containerpilot\n[flags] [application [arguments...]]\n\
         .SH DESCRIPTION\n{}.PP\nFlags are written {} or {}, with one dash or two. Everything \
         after the first word that is no flag belongs to the application.\n.PP\n{}",
        env!("CARGO_PKG_VERSION"),
        roff(ABOUT),
        roff("-flag value"),
        roff("-flag=value"),
        roff(LINK),
    );
    for group in &GROUPS {
        let _ = writeln!(page, ".SH \"{}\"", group.title.to_uppercase());
        for flag in group.flags {
            let _ = writeln!(page, ".TP\n.B {}\n{}", roff(&head(flag)), roff(flag.help));
        }
    }
    page.push_str(".SH SIGNALS\n");
    for (signal, effect) in SIGNALS {
        let _ = writeln!(page, ".TP\n.B {signal}\n{}", roff(effect));
    }
    let _ = write!(
        page,
        ".SH \"EXIT STATUS\"\n{}.SH ENVIRONMENT\n.TP\n.B CONTAINERPILOT\nThe configuration, if \
         there is no {}.\n.TP\n.B CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN, ...\nFill what the \
         configuration does not say about Consul.\n.SH EXAMPLES\nA first configuration, to be run \
         as\n.BR \"containerpilot {} app.json5\" :\n.PP\n.nf\n{}.fi\n",
        roff(EXIT_CODES),
        roff("-config"),
        roff("-config"),
        roff(EXAMPLE),
    );
    page
}

/// Dashes stay dashes, backslashes backslashes, and no line is taken for a macro.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let mut out = String::new();
    for line in escaped.split_inclusive('\n') {
        if line.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        out.push_str(line);
    }
    out
}

/// `-completion`; the shell is one of those that the table of flags names.
pub(crate) fn completion(shell: &str) -> String {
    match shell {
        "bash" => bash(),
        "zsh" => zsh(),
        _ => fish(),
    }
}

/// Flags whose value is a file.
fn takes_file(flag: &Flag) -> bool {
    matches!(flag.name, "config" | "out" | "socket")
}

fn bash() -> String {
    let names: Vec<String> = all().map(|flag| format!("-{}", flag.name)).collect();
    let mut script = String::from(
        "_containerpilot() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n  \
         case $before in\n",
    );
    for flag in all().filter(|flag| !flag.value.is_empty()) {
        let name = flag.name;
        let reply = if takes_file(flag) {
            "COMPREPLY=($(compgen -f -- \"$word\"))".to_owned()
        } else {
            format!("COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))", flag.choices.join(" "))
        };
        let _ = writeln!(script, "    -{name}|--{name}) {reply}; return ;;");
    }
    let _ = write!(
        script,
        "  esac\n  case $word in\n    -*) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")) ;;\n    \
         *) COMPREPLY=($(compgen -c -f -- \"$word\")) ;;\n  esac\n}}\ncomplete -o filenames -F \
         _containerpilot containerpilot\n",
        names.join(" ")
    );
    script
}

fn zsh() -> String {
    let mut script = String::from("#compdef containerpilot\n_arguments -S \\\n");
    for flag in all() {
        let help = first_line(flag).replace('\'', "'\\''").replace(':', "\\:");
        let repeat = if flag.help.contains("(repeatable)") { "*" } else { "" };
        let help = help.replace('[', "\\[").replace(']', "\\]");
        let value = match flag.value {
            "" => String::new(),
            value if takes_file(flag) => format!(":{value}:_files"),
            value => format!(":{value}:({})", flag.choices.join(" ")),
        };
        let _ = writeln!(script, "  '{repeat}-{}[{help}]{value}' \\", flag.name);
    }
    script.push_str("  '*::application:_normal'\n");
    script
}

fn fish() -> String {
    let mut script = String::new();
    for flag in all() {
        let help = first_line(flag).replace('\'', "\\'");
        let value = match flag.value {
            "" => "",
            _ if takes_file(flag) => " -r -F",
            _ => " -x",
        };
        let _ = write!(script, "complete -c containerpilot -o {}{value} -d '{help}'", flag.name);
        if !flag.choices.is_empty() {
            let _ = write!(script, " -a '{}'", flag.choices.join(" "));
        }
        script.push('\n');
    }
    script
}

fn first_line(flag: &Flag) -> String {
    flag.help.replace('\n', " ")
}
