//! From the words of the command line to what they ask for.

use std::path::PathBuf;

use config::did_you_mean;
use flags::Given;

use crate::{
    field, help,
    settings::{Command, Settings},
    table::FLAGS,
    value,
};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// Print a text about the program itself.
    Print(String),
    /// Render.
    Render(Box<Arguments>),
}

/// The command line of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    /// What the flags say.
    pub(crate) settings: Settings,
    /// Files and folders with more of that, which the flags win over.
    pub(crate) configs: Vec<PathBuf>,
    /// Print instead of writing and running.
    pub(crate) dry: bool,
    /// Only read.
    pub(crate) parse_only: bool,
}

/// Reads the words after the program's name.
///
/// # Errors
/// Everything that is wrong with them, one a line.
pub(crate) fn parse(words: Vec<String>) -> Result<Request, String> {
    let words = flags::parse(&FLAGS, words).map_err(explain)?;
    let mut arguments = Arguments::default();
    let mut problems = Vec::new();
    for given in words.given {
        let (name, value) = match given {
            Given::Switch("help", true) => return Ok(Request::Print(help::help())),
            Given::Switch("version" | "v", true) => return Ok(Request::Print(help::version())),
            Given::Switch(name, is) => (name, is.to_string()),
            Given::Value(name, value) => (name, value),
        };
        if let Err(problem) = arguments.keep(name, value) {
            problems.push(format!("-{name}: {problem}"));
        }
    }
    if let Some(word) = words.rest.first() {
        let rule = "want flags only; a value with spaces stands in quotes";
        problems.push(format!("{word:?} is no flag: {rule}"));
    }
    match problems.is_empty() {
        true => Ok(Request::Render(Box::new(arguments))),
        false => Err(problems.join("\n")),
    }
}

/// A word that the table does not know.
fn explain(error: flags::Error) -> String {
    let flags::Error::Unknown(word) = &error else { return error.to_string() };
    let name = word.trim_start_matches('-');
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    for other in ["vault", "nomad"] {
        if name.starts_with(other) {
            return format!("{word}: {other} is not spoken here: want Consul or etcd");
        }
    }
    let known: Vec<String> = flags::names(&FLAGS).map(|known| format!("-{known}")).collect();
    match did_you_mean(&format!("-{name}"), known.iter().map(String::as_str)) {
        Some(meant) => format!("-{name}: no such flag: {meant} See -help"),
        None => error.to_string(),
    }
}

impl Arguments {
    /// Keeps what a flag says, `true` or `false` if it has no value.
    fn keep(&mut self, name: &str, given: String) -> Result<(), String> {
        let settings = &mut self.settings;
        match name {
            "dry" => self.dry = given == "true",
            "parse-only" => self.parse_only = given == "true",
            "template" => settings.templates.push(value::template(&given)?),
            "config" => self.configs.push(given.into()),
            "wait" => settings.wait = Some(value::wait(&given)?),
            "default-left-delimiter" => settings.left_delimiter = Some(given),
            "default-right-delimiter" => settings.right_delimiter = Some(given),
            "consul-addr" | "consul" => settings.consul.address = Some(given),
            "consul-auth" | "auth" => settings.consul.login = Some(value::login(&given)),
            "consul-ssl" | "ssl" => settings.consul.tls.enabled = Some(given == "true"),
            "etcd" => settings.etcd.endpoints.push(given),
            "exec" => settings.exec.command = Some(Command::Shell(given)),
            "log-level" => settings.log_level = Some(value::level(&given)?),
            // What no table has is without effect, and may have any value; a test goes through them.
            _ => return keep(settings, &name.replace('-', "_"), &given).map(drop),
        }
        Ok(())
    }
}

/// Keeps a setting that has the same name in files. `false`: there is none.
fn keep(settings: &mut Settings, name: &str, given: &str) -> Result<bool, String> {
    // What is said of Consul was once said without its name.
    let of_consul = name.strip_prefix("consul_").unwrap_or(name);
    if let Some(name) = name.strip_prefix("exec_") {
        return field::keep(field::EXEC, &mut settings.exec, name, given);
    }
    if let Some(name) = of_consul.strip_prefix("ssl_") {
        return field::keep(field::TLS, &mut settings.consul.tls, name, given);
    }
    Ok(field::keep(field::CONSUL, &mut settings.consul, of_consul, given)?
        || field::keep(field::SETTINGS, settings, name, given)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned).collect())
    }

    fn settings(line: &str) -> Settings {
        match words(line).unwrap() {
            Request::Render(arguments) => arguments.settings,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_line_of_the_article() {
        let line = ["-once", "-consul", "consul:8500", "-template", "/a.ctmpl:/a:nginx -s reload"];
        let request = parse(line.map(str::to_owned).to_vec()).unwrap();
        let Request::Render(arguments) = request else { panic!("{request:?}") };
        assert_eq!(arguments.settings.once, Some(true));
        assert_eq!(arguments.settings.consul.address.as_deref(), Some("consul:8500"));
        let template = &arguments.settings.templates[0];
        assert_eq!(template.command, Some(Command::Shell("nginx -s reload".into())));
    }

    /// A flag of the table that nothing reads would be a lie, but for those that say so.
    #[test]
    fn every_flag_that_is_shown_does_something() {
        let effective = FLAGS.iter().take(FLAGS.len() - 1).flat_map(|group| group.flags);
        for flag in effective {
            let value = match flag.value {
                "" => "",
                "DURATION" | "MIN[:MAX]" => "5s",
                "SIGNAL" => "SIGHUP",
                "LEVEL" => "info",
                _ => "x",
            };
            let nothing = Ok(Request::Render(Box::default()));
            assert_ne!(words(&format!("-{} {value}", flag.name)), nothing, "-{}", flag.name);
        }
    }

    #[test]
    fn flags_without_effect_are_understood() {
        let line = "-dedup -retry 5s -consul-retry=false -consul-retry-attempts 3 -syslog \
                    -syslog-facility LOCAL0 -reap";
        assert_eq!(settings(line), Settings::default());
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        assert_eq!(
            words("-wait 5 -exec-kill-signal HUB -log-level loud a.ctmpl").unwrap_err(),
            "-wait: \"5\" has no unit: want one with its unit, such as 500ms, 5s or 1m30s\n\
             -exec-kill-signal: \"HUB\" is not a signal: did you mean \"SIGHUP\"?\n\
             -log-level: \"loud\" is not a level: want debug, info, warn or err\n\
             \"a.ctmpl\" is no flag: want flags only; a value with spaces stands in quotes"
        );
        for (line, error) in [
            ("-tempalte a:b", "-tempalte: no such flag: did you mean \"-template\"? See -help"),
            ("-zzz", "-zzz: no such flag; see -help"),
            ("-template", "-template: want a value after it; see -help"),
            ("-once=perhaps", "-once: \"perhaps\" is no bool: want true or false"),
            ("-vault-addr=x", "-vault-addr=x: vault is not spoken here: want Consul or etcd"),
        ] {
            assert_eq!(words(line).unwrap_err(), error, "{line}");
        }
    }

    #[test]
    fn flags_are_known_by_their_names() {
        assert!(crate::has_flag("once") && crate::has_flag("consul"));
        assert!(!crate::has_flag("reload") && !crate::has_flag(""));
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in help::help().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
