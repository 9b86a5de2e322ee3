//! The environment of children: ours, and what we add. An explicit map; our own environment is
//! never changed.

use std::{collections::BTreeMap, ffi::OsString};

use config::Config;
use process::Pid;

/// Variables for children that are started from now on.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    inherited: BTreeMap<OsString, OsString>,
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// What we have inherited, byte for byte, `CONTAINERPILOT_PID`, and the address of each
    /// advertised service.
    pub(crate) fn new(config: &Config) -> Environment {
        let inherited: BTreeMap<_, _> = std::env::vars_os().collect();
        let mut environment = Environment { variables: inherited.clone(), inherited };
        environment.describe(config);
        environment
    }

    /// Forgets what described the last configuration and describes this one.
    pub(crate) fn describe(&mut self, config: &Config) {
        self.variables.clone_from(&self.inherited);
        let pid = std::process::id().to_string();
        self.variables.insert("CONTAINERPILOT_PID".into(), pid.into());
        for service in config.jobs.iter().filter_map(|job| job.service.as_ref()) {
            let name = config::service_ip_variable(&service.name);
            self.variables.insert(name.into(), service.address.to_string().into());
        }
    }

    /// A process runs: its pid is known as this variable.
    pub(crate) fn running(&mut self, variable: &str, pid: Pid) {
        self.variables.insert(variable.into(), pid.to_string().into());
    }

    /// It has exited: the variable has its inherited value again, if it had one.
    pub(crate) fn exited(&mut self, variable: &str) {
        let variable = OsString::from(variable);
        match self.inherited.get(&variable) {
            Some(value) => self.variables.insert(variable, value.clone()),
            None => self.variables.remove(&variable),
        };
    }

    /// All variables.
    pub(crate) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}
