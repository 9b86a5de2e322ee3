//! What is to be done: settings of flags and files together, and all that can be wrong with them.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};

use config::one_of;
use log::LevelFilter;
use process::{Identity, Signal};
use render::{Destination, Source, Target, Template};

use crate::{
    arguments::Arguments,
    catalog_settings,
    environment::environment,
    file,
    settings::{Command, Settings, TemplateSettings},
    signals::HEARD,
};

/// How long a template's command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the program beside may take to stop.
const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// The variable with a level for the log.
const LEVEL_VARIABLE: &str = "CONSUL_TEMPLATE_LOG";

/// Our own environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// As children get it.
    pub(crate) all: BTreeMap<OsString, OsString>,
    /// What of it is text: for templates, and for what is read of it.
    pub(crate) text: BTreeMap<String, String>,
}

/// What is to be done.
#[derive(Clone, PartialEq)]
pub(crate) struct Plan {
    /// [`render::TemplateId`] is an index into this list and into those below.
    pub(crate) templates: Vec<Template>,
    /// What is run after a change of each.
    pub(crate) hooks: Vec<Option<Hook>>,
    /// Of those that are printed instead of being written: where they would go.
    pub(crate) headings: Vec<Option<PathBuf>>,
    pub(crate) exec: Option<Exec>,
    pub(crate) catalog: config::Catalog,
    /// For a proxy in front of it: a name and a password.
    pub(crate) login: Option<(String, String)>,
    pub(crate) once: bool,
    pub(crate) reload_signal: Option<Signal>,
    pub(crate) kill_signal: Option<Signal>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) log_level: LevelFilter,
    /// Legal, and probably not meant.
    pub(crate) warnings: Vec<String>,
}

/// What is run after a change. Equal ones are run once for all that changes together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hook {
    pub(crate) command: Command,
    /// `None`: it goes on in the background, and nobody asks how it ends.
    pub(crate) timeout: Option<Duration>,
    pub(crate) environment: BTreeMap<OsString, OsString>,
}

/// A program that runs beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exec {
    pub(crate) command: Command,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    /// `None`: it is started anew.
    pub(crate) reload_signal: Option<Signal>,
    /// `None`: the signal that we got.
    pub(crate) kill_signal: Option<Signal>,
    pub(crate) kill_timeout: Duration,
    pub(crate) splay: Duration,
}

impl Plan {
    /// Reads the files that the arguments name, and makes sense of it all.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn make(arguments: &Arguments, ours: &Surroundings) -> Result<Plan, Vec<String>> {
        let file::Loaded { mut settings, mut warnings } = file::load(&arguments.configs)?;
        settings.merge(arguments.settings.clone());
        let mut problems = Vec::new();
        let catalog = catalog_settings::catalog(&settings.consul, &settings.etcd, &ours.text)
            .map_err(|wrong| problems.extend(wrong));
        let variables = catalog_settings::variables(&settings.consul);
        let once = settings.once.unwrap_or(false);
        let mut maker =
            Maker { settings: &settings, ours, variables, once, dry: arguments.dry, problems };
        let templates = maker.templates();
        let exec = maker.exec();
        let reload_signal = maker.signal("reload_signal", settings.reload_signal, Signal::SIGHUP);
        let kill_signal = maker.signal("kill_signal", settings.kill_signal, Signal::SIGINT);
        let log_level = maker.log_level();
        if templates.is_empty() && exec.is_none() {
            let rule = "want -template SOURCE:DESTINATION, or a file of settings by -config";
            maker.problems.push(format!("there is nothing to render: {rule}"));
        }
        let problems = maker.problems;
        match catalog {
            Ok((catalog, unused)) if problems.is_empty() => {
                warnings.extend(unused);
                let mut plan = Plan {
                    templates: Vec::new(),
                    hooks: Vec::new(),
                    headings: Vec::new(),
                    exec,
                    catalog,
                    login: catalog_settings::login(&settings.consul, &ours.text),
                    once,
                    reload_signal,
                    kill_signal,
                    pid_file: settings.pid_file,
                    log_level,
                    warnings,
                };
                for (template, hook, heading) in templates {
                    plan.templates.push(template);
                    plan.hooks.push(hook);
                    plan.headings.push(heading);
                }
                Ok(plan)
            }
            _ => Err(problems),
        }
    }
}

/// Makes parts of a plan, and collects what is wrong.
struct Maker<'a> {
    settings: &'a Settings,
    ours: &'a Surroundings,
    variables: Vec<(&'static str, String)>,
    once: bool,
    dry: bool,
    problems: Vec<String>,
}

impl Maker<'_> {
    fn templates(&mut self) -> Vec<(Template, Option<Hook>, Option<PathBuf>)> {
        let settings = self.settings;
        let mut destinations = Vec::new();
        for path in settings.templates.iter().filter_map(|one| one.destination.as_ref()) {
            // As it is spelt shortest: `./file` is `file`.
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let is_new = !destinations.contains(&absolute);
            destinations.push(absolute);
            if !is_new {
                let path = path.display();
                self.problems
                    .push(format!("{path}: is the destination of two templates: want one"));
            }
        }
        settings.templates.iter().map(|one| self.template(one)).collect()
    }

    fn template(&mut self, one: &TemplateSettings) -> (Template, Option<Hook>, Option<PathBuf>) {
        let (name, source) = match (&one.source, &one.contents) {
            (Some(path), _) => (path.display().to_string(), Source::File(path.clone())),
            (None, contents) => {
                let name = match &one.destination {
                    Some(path) => format!("contents of {}", path.display()),
                    None => "contents".to_owned(),
                };
                (name, Source::Text(contents.clone().unwrap_or_default()))
            }
        };
        let destination = match &one.destination {
            Some(path) if !self.dry => Destination::File(Target {
                path: path.clone(),
                mode: one.mode,
                user: self.identity(&name, one.user.as_deref(), None).map(|one| one.uid()),
                group: self.identity(&name, None, one.group.as_deref()).map(|one| one.gid()),
                backup: one.backup.unwrap_or(false),
                create_folders: one.create_dest_dirs.unwrap_or(true),
            }),
            _ => Destination::Print,
        };
        let common = |own: &Option<String>, all: &Option<String>| {
            own.clone().or_else(|| all.clone()).unwrap_or_default()
        };
        let hook = one.command.as_ref().filter(|_| !self.dry).map(|command| Hook {
            command: command.clone(),
            timeout: Some(one.command_timeout.unwrap_or(COMMAND_TIMEOUT))
                .filter(|timeout| !timeout.is_zero()),
            environment: self.environment(&one.environment),
        });
        let wait = one.wait.or(self.settings.wait).flatten();
        let template = Template {
            name,
            source,
            destination,
            // What is done once need not wait for what may still come.
            wait: wait.filter(|_| !self.once),
            checked: false,
            minimum: BTreeMap::new(),
            shrink_after: Duration::ZERO,
            left_delimiter: common(&one.left_delimiter, &self.settings.left_delimiter),
            right_delimiter: common(&one.right_delimiter, &self.settings.right_delimiter),
            error_on_missing_key: one.error_on_missing_key.unwrap_or(false),
            denied: one.denied.clone(),
        };
        (template, hook, one.destination.clone().filter(|_| self.dry))
    }

    /// Who is named, if anybody is.
    fn identity(
        &mut self,
        template: &str,
        user: Option<&str>,
        group: Option<&str>,
    ) -> Option<Identity> {
        if user.is_none() && group.is_none() {
            return None;
        }
        match Identity::lookup(user, group) {
            Ok(identity) => Some(identity),
            Err(error) => {
                self.problems.push(format!("{template}: {error}"));
                None
            }
        }
    }

    fn environment(
        &mut self,
        settings: &crate::settings::EnvironmentSettings,
    ) -> BTreeMap<OsString, OsString> {
        environment(settings, &self.ours.all, &self.variables).unwrap_or_else(|wrong| {
            self.problems.extend(wrong);
            BTreeMap::new()
        })
    }

    fn exec(&mut self) -> Option<Exec> {
        let settings = &self.settings.exec;
        let command = settings.command.clone().filter(|_| !self.dry)?;
        if matches!(&command, Command::Shell(line) if line.trim().is_empty()) {
            self.problems.push("exec: the command is empty: want a program to run".to_owned());
        }
        Some(Exec {
            command,
            environment: self.environment(&settings.environment),
            reload_signal: settings.reload_signal.flatten(),
            kill_signal: settings.kill_signal.flatten(),
            kill_timeout: settings.kill_timeout.unwrap_or(KILL_TIMEOUT),
            splay: settings.splay.unwrap_or_default(),
        })
    }

    /// A signal that we listen to.
    fn signal(
        &mut self,
        name: &str,
        given: Option<Option<Signal>>,
        default: Signal,
    ) -> Option<Signal> {
        let signal = given.unwrap_or(Some(default))?;
        if !HEARD.contains(&signal) {
            let rule = one_of(&HEARD.map(Signal::as_str));
            self.problems.push(format!("{name}: {signal} cannot be heard: want {rule}"));
        }
        Some(signal)
    }

    fn log_level(&mut self) -> LevelFilter {
        let variable = || self.ours.text.get(LEVEL_VARIABLE).filter(|level| !level.is_empty());
        let level = match (self.settings.log_level, variable()) {
            (Some(level), _) => Ok(level),
            (None, Some(level)) => crate::value::level(level),
            (None, None) => Ok(LevelFilter::Warn),
        };
        level.unwrap_or_else(|problem| {
            self.problems.push(format!("{LEVEL_VARIABLE}: {problem}"));
            LevelFilter::Warn
        })
    }
}
