//! The environment of children: ours, and what we add. An explicit map; our own environment is
//! never changed.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use config::{Config, job::Surroundings};
use process::{Identity, Pid};

/// The variable with the path of the file that tells of a change.
pub(crate) const CHANGE_VARIABLE: &str = "CONTAINERPILOT_CHANGE";

/// Whether a variable that we have inherited speaks of what only the one who set it knows.
fn is_of_another(name: &OsStr) -> bool {
    name == CHANGE_VARIABLE
        || name
            .to_str()
            .and_then(|name| name.strip_prefix("CONTAINERPILOT_ELECTION_"))
            .is_some_and(|name| name.ends_with("_TOKEN"))
}

/// What was asked for on the control socket: variables that are set, or unset.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// Variables for children that are started from now on.
#[derive(Clone)]
pub(crate) struct Environment {
    /// What we have inherited, as it was changed since.
    base: BTreeMap<OsString, OsString>,
    /// Those changes.
    changes: Changes,
    /// The whole, with what we add.
    variables: BTreeMap<OsString, OsString>,
    /// What we have added.
    ours: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// What we have inherited, byte for byte, `CONTAINERPILOT_PID`, and the address of each
    /// advertised service. What another one of us was told of a change, or was elected with, is not
    /// for our children.
    pub(crate) fn new(config: &Config) -> Environment {
        let inherited = std::env::vars_os().filter(|(name, _)| !is_of_another(name));
        let mut base = BTreeMap::new();
        base.extend(inherited);
        let (changes, ours) = (Changes::new(), BTreeMap::new());
        let mut environment = Environment { variables: base.clone(), base, changes, ours };
        environment.describe(config);
        environment
    }

    /// Changes what children find. What we add ourselves stands before that.
    pub(crate) fn change(&mut self, changes: Changes) {
        for (name, value) in changes {
            match &value {
                Some(value) => self.base.insert(name.clone().into(), value.into()),
                None => self.base.remove(&OsString::from(&name)),
            };
            self.changes.insert(name, value);
        }
        self.compose();
    }

    /// What we have inherited, as it was changed since, as far as it is text.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        let mut texts = BTreeMap::new();
        texts.extend(self.base.iter().filter_map(text));
        texts
    }

    /// All changes so far.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    fn compose(&mut self) {
        self.variables.clone_from(&self.base);
        let ours = self.ours.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.variables.extend(ours);
    }

    /// The variables of a job that has its own; `None`: they are everybody's.
    pub(crate) fn of(
        &self,
        surroundings: &Surroundings,
        identity: Option<&Identity>,
    ) -> Option<BTreeMap<OsString, OsString>> {
        if surroundings.env.is_empty() && identity.is_none() {
            return None;
        }
        let mut variables = self.variables.clone();
        // Another user has another home. A group alone is no other user.
        if let (Some(identity), Some(_)) = (identity, &surroundings.user) {
            variables.insert("HOME".into(), identity.home().into());
            for variable in ["USER", "LOGNAME"] {
                match identity.name() {
                    Some(name) => variables.insert(variable.into(), name.into()),
                    // Ours would be a lie.
                    None => variables.remove(&OsString::from(variable)),
                };
            }
        }
        for (name, value) in &surroundings.env {
            match value {
                Some(value) => variables.insert(name.into(), value.into()),
                None => variables.remove(&OsString::from(name)),
            };
        }
        Some(variables)
    }

    /// Forgets what described the last configuration and describes this one.
    pub(crate) fn describe(&mut self, config: &Config) {
        let pid = std::process::id().to_string();
        self.ours.clear();
        self.ours.insert("CONTAINERPILOT_PID".into(), pid.into());
        for service in config.jobs.iter().filter_map(|job| job.service.as_ref()) {
            let name = config::service_ip_variable(&service.name);
            self.ours.insert(name.into(), service.address.to_string().into());
        }
        self.compose();
    }

    /// A process runs: its pid is known as this variable.
    pub(crate) fn running(&mut self, variable: &str, pid: Pid) {
        self.add(variable, &pid.to_string());
    }

    /// We add this variable, until we [remove](Environment::remove) it.
    pub(crate) fn add(&mut self, variable: &str, value: &str) {
        self.ours.insert(variable.into(), value.into());
        self.variables.insert(variable.into(), value.into());
    }

    /// What it told is not so any more: the variable has its inherited value again, if it had one.
    pub(crate) fn remove(&mut self, variable: &str) {
        let variable = OsString::from(variable);
        self.ours.remove(&variable);
        match self.base.get(&variable) {
            Some(value) => self.variables.insert(variable, value.clone()),
            None => self.variables.remove(&variable),
        };
    }

    /// All variables.
    pub(crate) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_another_one_of_us_knows_is_not_passed_on() {
        for (name, is) in [
            ("CONTAINERPILOT_CHANGE", true),
            ("CONTAINERPILOT_ELECTION_PRIMARY_TOKEN", true),
            ("CONTAINERPILOT_ELECTION_PRIMARY", false),
            ("CONTAINERPILOT_APP_IP", false),
            ("TOKEN", false),
        ] {
            assert_eq!(is_of_another(name.as_ref()), is, "{name}");
        }
    }
}
