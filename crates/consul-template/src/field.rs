//! Settings that are one value: what they are called in files, how they are read, and where they are
//! kept. Flags have the same names, with another stroke between the words.

use std::{path::PathBuf, time::Duration};

use process::Signal;

use crate::{
    settings::{
        ConsulSettings, EtcdSettings, ExecSettings, Settings, TemplateSettings, TlsSettings,
    },
    value,
};

/// How a value is read, and where in a `T` it is kept.
pub(crate) enum Field<T> {
    Text(fn(&mut T) -> &mut Option<String>),
    Path(fn(&mut T) -> &mut Option<PathBuf>),
    Switch(fn(&mut T) -> &mut Option<bool>),
    Duration(fn(&mut T) -> &mut Option<Duration>),
    Signal(fn(&mut T) -> &mut Option<Option<Signal>>),
}

/// Those of a stanza, by their names.
pub(crate) type Fields<T> = &'static [(&'static str, Field<T>)];

use Field::{Path, Switch, Text};

pub(crate) const SETTINGS: Fields<Settings> = &[
    ("once", Switch(|all| &mut all.once)),
    ("reload_signal", Field::Signal(|all| &mut all.reload_signal)),
    ("kill_signal", Field::Signal(|all| &mut all.kill_signal)),
    ("pid_file", Path(|all| &mut all.pid_file)),
    // Beside the stanza, where they are older than it.
    ("token", Text(|all| &mut all.consul.token)),
    ("max_stale", Field::Duration(|all| &mut all.consul.max_stale)),
];

pub(crate) const CONSUL: Fields<ConsulSettings> = &[
    ("address", Text(|consul| &mut consul.address)),
    ("token", Text(|consul| &mut consul.token)),
    ("token_file", Text(|consul| &mut consul.token_file)),
    ("namespace", Text(|consul| &mut consul.namespace)),
];

pub(crate) const TLS: Fields<TlsSettings> = &[
    ("enabled", Switch(|tls| &mut tls.enabled)),
    ("verify", Switch(|tls| &mut tls.verify)),
    ("ca_cert", Text(|tls| &mut tls.ca_cert)),
    ("ca_path", Text(|tls| &mut tls.ca_path)),
    ("cert", Text(|tls| &mut tls.cert)),
    ("key", Text(|tls| &mut tls.key)),
    ("server_name", Text(|tls| &mut tls.server_name)),
];

pub(crate) const ETCD: Fields<EtcdSettings> = &[
    ("prefix", Text(|etcd| &mut etcd.prefix)),
    ("username", Text(|etcd| &mut etcd.username)),
    ("password", Text(|etcd| &mut etcd.password)),
];

pub(crate) const TEMPLATE: Fields<TemplateSettings> = &[
    ("source", Path(|one| &mut one.source)),
    ("destination", Path(|one| &mut one.destination)),
    ("left_delimiter", Text(|one| &mut one.left_delimiter)),
    ("right_delimiter", Text(|one| &mut one.right_delimiter)),
    ("command_timeout", Field::Duration(|one| &mut one.command_timeout)),
    ("backup", Switch(|one| &mut one.backup)),
    ("create_dest_dirs", Switch(|one| &mut one.create_dest_dirs)),
    ("error_on_missing_key", Switch(|one| &mut one.error_on_missing_key)),
];

pub(crate) const EXEC: Fields<ExecSettings> = &[
    ("reload_signal", Field::Signal(|exec| &mut exec.reload_signal)),
    ("kill_signal", Field::Signal(|exec| &mut exec.kill_signal)),
    ("kill_timeout", Field::Duration(|exec| &mut exec.kill_timeout)),
    ("splay", Field::Duration(|exec| &mut exec.splay)),
];

/// Keeps what a flag says, `true` or `false` for a switch. `false`: there is no field of that name.
///
/// # Errors
/// What is wrong with the value.
#[inline(never)] // As `Stanza::read`.
pub(crate) fn keep<T>(
    fields: Fields<T>,
    into: &mut T,
    name: &str,
    given: &str,
) -> Result<bool, String> {
    let Some((_, field)) = fields.iter().find(|(known, _)| *known == name) else {
        return Ok(false);
    };
    match field {
        Text(at) => *at(into) = Some(given.to_owned()),
        Path(at) => *at(into) = Some(PathBuf::from(given)),
        Switch(at) => *at(into) = Some(given == "true"),
        Field::Duration(at) => *at(into) = Some(value::duration(given)?),
        Field::Signal(at) => *at(into) = Some(value::signal(given)?),
    }
    Ok(true)
}
