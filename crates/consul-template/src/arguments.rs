//! From the words of the command line to what they ask for.

use std::path::PathBuf;

use config::did_you_mean;
use flags::Given;

use crate::{
    help,
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
        match given {
            Given::Switch("help", true) => return Ok(Request::Print(help::help())),
            Given::Switch("version" | "v", true) => return Ok(Request::Print(help::version())),
            Given::Switch(name, is) => arguments.switch(name, is),
            Given::Value(name, value) => {
                if let Err(problem) = arguments.value(name, value) {
                    problems.push(format!("-{name}: {problem}"));
                }
            }
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
    match did_you_mean(name, flags::names(&FLAGS)) {
        Some(meant) => format!("-{name}: no such flag: {meant} See -help"),
        None => error.to_string(),
    }
}

impl Arguments {
    fn switch(&mut self, name: &str, is: bool) {
        let tls = &mut self.settings.consul.tls;
        match name {
            "once" => self.settings.once = Some(is),
            "dry" => self.dry = is,
            "parse-only" => self.parse_only = is,
            "consul-ssl" | "ssl" => tls.enabled = Some(is),
            "consul-ssl-verify" | "ssl-verify" => tls.verify = Some(is),
            // The table has no others that mean something here; a test goes through it.
            _ => {}
        }
    }

    fn value(&mut self, name: &str, value: String) -> Result<(), String> {
        let Settings { consul, exec, .. } = &mut self.settings;
        match name {
            "template" => self.settings.templates.push(value::template(&value)?),
            "config" => self.configs.push(value.into()),
            "wait" => self.settings.wait = Some(value::wait(&value)?),
            "default-left-delimiter" => self.settings.left_delimiter = Some(value),
            "default-right-delimiter" => self.settings.right_delimiter = Some(value),
            "consul-addr" | "consul" => consul.address = Some(value),
            "consul-token" | "token" => consul.token = Some(value),
            "consul-token-file" => consul.token_file = Some(value),
            "consul-namespace" => consul.namespace = Some(value),
            "consul-ssl-ca-cert" | "ssl-ca-cert" => consul.tls.ca_cert = Some(value),
            "consul-ssl-ca-path" | "ssl-ca-path" => consul.tls.ca_path = Some(value),
            "consul-ssl-cert" | "ssl-cert" => consul.tls.cert = Some(value),
            "consul-ssl-key" | "ssl-key" => consul.tls.key = Some(value),
            "consul-ssl-server-name" | "ssl-server-name" => consul.tls.server_name = Some(value),
            "max-stale" => consul.max_stale = Some(value::duration(&value)?),
            "etcd" => self.settings.etcd.endpoints.push(value),
            "exec" => exec.command = Some(Command::Shell(value)),
            "exec-reload-signal" => exec.reload_signal = Some(value::signal(&value)?),
            "exec-kill-signal" => exec.kill_signal = Some(value::signal(&value)?),
            "exec-kill-timeout" => exec.kill_timeout = Some(value::duration(&value)?),
            "exec-splay" => exec.splay = Some(value::duration(&value)?),
            "reload-signal" => self.settings.reload_signal = Some(value::signal(&value)?),
            "kill-signal" => self.settings.kill_signal = Some(value::signal(&value)?),
            "pid-file" => self.settings.pid_file = Some(value.into()),
            "log-level" => self.settings.log_level = Some(value::level(&value)?),
            "consul-auth" | "auth" => consul.login = Some(value::login(&value)),
            // What has no effect may have any value.
            _ => {}
        }
        Ok(())
    }
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
            ("-tempalte a:b", "-tempalte: no such flag: did you mean \"template\"? See -help"),
            ("-zzz", "-zzz: no such flag; see -help"),
            ("-template", "-template: want a value after it; see -help"),
            ("-once=perhaps", "-once: \"perhaps\" is no bool: want true or false"),
            ("-vault-addr=x", "-vault-addr=x: vault is not spoken here: want Consul or etcd"),
        ] {
            assert_eq!(words(line).unwrap_err(), error, "{line}");
        }
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in help::help().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
