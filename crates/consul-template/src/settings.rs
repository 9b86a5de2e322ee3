//! What flags and files say, before it makes sense together. What nobody has said is `None`, so that
//! one can be laid over another.

use std::{path::PathBuf, time::Duration};

use log::LevelFilter;
use process::Signal;
use render::Wait;

/// Everything that flags or one file say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) consul: ConsulSettings,
    pub(crate) etcd: EtcdSettings,
    pub(crate) templates: Vec<TemplateSettings>,
    pub(crate) exec: ExecSettings,
    pub(crate) once: Option<bool>,
    /// `Some(None)`: not at all.
    pub(crate) wait: Option<Option<Wait>>,
    pub(crate) left_delimiter: Option<String>,
    pub(crate) right_delimiter: Option<String>,
    /// `Some(None)`: no signal.
    pub(crate) reload_signal: Option<Option<Signal>>,
    pub(crate) kill_signal: Option<Option<Signal>>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) log_level: Option<LevelFilter>,
}

/// How to reach Consul.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct ConsulSettings {
    pub(crate) address: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<String>,
    /// For a proxy in front of it.
    pub(crate) login: Option<(String, String)>,
    pub(crate) namespace: Option<String>,
    pub(crate) tls: TlsSettings,
    pub(crate) max_stale: Option<Duration>,
}

/// Without the token and the password.
impl std::fmt::Debug for ConsulSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, token, token_file, login, namespace, tls, max_stale } = self;
        f.debug_struct("ConsulSettings")
            .field("address", address)
            .field("token", &token.as_ref().map(|_| "…"))
            .field("token_file", token_file)
            .field("login", &login.as_ref().map(|(name, _)| name))
            .field("namespace", namespace)
            .field("tls", tls)
            .field("max_stale", max_stale)
            .finish()
    }
}

/// TLS towards a catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TlsSettings {
    pub(crate) enabled: Option<bool>,
    pub(crate) verify: Option<bool>,
    pub(crate) ca_cert: Option<String>,
    pub(crate) ca_path: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) server_name: Option<String>,
}

/// How to reach etcd.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct EtcdSettings {
    /// Empty: there is none.
    pub(crate) endpoints: Vec<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: TlsSettings,
}

/// Without the password.
impl std::fmt::Debug for EtcdSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdSettings").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// One template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TemplateSettings {
    pub(crate) source: Option<PathBuf>,
    pub(crate) contents: Option<String>,
    /// `None`: it is printed.
    pub(crate) destination: Option<PathBuf>,
    pub(crate) command: Option<Command>,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) environment: EnvironmentSettings,
    pub(crate) mode: Option<u32>,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) backup: Option<bool>,
    pub(crate) create_dest_dirs: Option<bool>,
    pub(crate) left_delimiter: Option<String>,
    pub(crate) right_delimiter: Option<String>,
    pub(crate) wait: Option<Option<Wait>>,
    pub(crate) error_on_missing_key: Option<bool>,
    pub(crate) denied: Vec<String>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    /// For the shell.
    Shell(String),
    /// A program and its arguments; never empty.
    Words(Vec<String>),
}

/// A program that runs beside.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExecSettings {
    pub(crate) command: Option<Command>,
    pub(crate) environment: EnvironmentSettings,
    pub(crate) reload_signal: Option<Option<Signal>>,
    pub(crate) kill_signal: Option<Option<Signal>>,
    pub(crate) kill_timeout: Option<Duration>,
    pub(crate) splay: Option<Duration>,
}

/// What of our environment a child gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EnvironmentSettings {
    /// Nothing but `custom`.
    pub(crate) pristine: Option<bool>,
    /// `NAME=VALUE`.
    pub(crate) custom: Vec<String>,
    /// Patterns of names; empty: all.
    pub(crate) allowed: Vec<String>,
    /// Patterns of names.
    pub(crate) denied: Vec<String>,
}

/// What the later one says counts.
fn over<T>(earlier: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *earlier = later;
    }
}

impl Settings {
    /// Lays `later` over these. Its templates come behind these.
    pub(crate) fn merge(&mut self, later: Settings) {
        let Settings {
            consul,
            etcd,
            templates,
            exec,
            once,
            wait,
            left_delimiter,
            right_delimiter,
            reload_signal,
            kill_signal,
            pid_file,
            log_level,
        } = later;
        self.consul.merge(consul);
        self.etcd.merge(etcd);
        self.templates.extend(templates);
        self.exec.merge(exec);
        over(&mut self.once, once);
        over(&mut self.wait, wait);
        over(&mut self.left_delimiter, left_delimiter);
        over(&mut self.right_delimiter, right_delimiter);
        over(&mut self.reload_signal, reload_signal);
        over(&mut self.kill_signal, kill_signal);
        over(&mut self.pid_file, pid_file);
        over(&mut self.log_level, log_level);
    }
}

impl ConsulSettings {
    pub(crate) fn merge(&mut self, later: ConsulSettings) {
        let ConsulSettings { address, token, token_file, login, namespace, tls, max_stale } = later;
        over(&mut self.address, address);
        // One of the two is the token.
        if token.is_some() || token_file.is_some() {
            (self.token, self.token_file) = (token, token_file);
        }
        over(&mut self.login, login);
        over(&mut self.namespace, namespace);
        self.tls.merge(tls);
        over(&mut self.max_stale, max_stale);
    }
}

impl TlsSettings {
    pub(crate) fn merge(&mut self, later: TlsSettings) {
        let TlsSettings { enabled, verify, ca_cert, ca_path, cert, key, server_name } = later;
        over(&mut self.enabled, enabled);
        over(&mut self.verify, verify);
        over(&mut self.ca_cert, ca_cert);
        over(&mut self.ca_path, ca_path);
        over(&mut self.cert, cert);
        over(&mut self.key, key);
        over(&mut self.server_name, server_name);
    }
}

impl EtcdSettings {
    fn merge(&mut self, later: EtcdSettings) {
        let EtcdSettings { endpoints, prefix, username, password, tls } = later;
        if !endpoints.is_empty() {
            self.endpoints = endpoints;
        }
        over(&mut self.prefix, prefix);
        over(&mut self.username, username);
        over(&mut self.password, password);
        self.tls.merge(tls);
    }
}

impl ExecSettings {
    pub(crate) fn merge(&mut self, later: ExecSettings) {
        let ExecSettings { command, environment, reload_signal, kill_signal, kill_timeout, splay } =
            later;
        over(&mut self.command, command);
        self.environment.merge(environment);
        over(&mut self.reload_signal, reload_signal);
        over(&mut self.kill_signal, kill_signal);
        over(&mut self.kill_timeout, kill_timeout);
        over(&mut self.splay, splay);
    }
}

impl EnvironmentSettings {
    fn merge(&mut self, later: EnvironmentSettings) {
        let EnvironmentSettings { pristine, custom, allowed, denied } = later;
        over(&mut self.pristine, pristine);
        self.custom.extend(custom);
        self.allowed.extend(allowed);
        self.denied.extend(denied);
    }
}
