//! What of our environment children get.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use crate::settings::EnvironmentSettings;

/// Our own environment, and `added`, as these settings want it. `custom` ones are there whatever
/// else is said.
///
/// # Errors
/// A custom variable that is no `NAME=VALUE`, or a pattern that we do not understand.
pub(crate) fn environment(
    settings: &EnvironmentSettings,
    ours: &BTreeMap<OsString, OsString>,
    added: &[(&'static str, String)],
) -> Result<BTreeMap<OsString, OsString>, Vec<String>> {
    let EnvironmentSettings { pristine, custom, allowed, denied } = settings;
    let mut problems = Vec::new();
    for pattern in allowed.iter().chain(denied).filter(|pattern| pattern.contains('[')) {
        problems
            .push(format!("env: {pattern:?}: want a name, * for any characters, ? for any one"));
    }
    let any = |patterns: &[String], name: &OsStr| {
        let name = name.to_string_lossy();
        patterns.iter().any(|pattern| matches(pattern, &name))
    };
    let passes = |name: &OsStr| {
        *pristine != Some(true) && (allowed.is_empty() || any(allowed, name)) && !any(denied, name)
    };
    let mut environment = ours.clone();
    for (name, value) in added {
        environment.insert((*name).into(), value.into());
    }
    environment.retain(|name, _| passes(name));
    for variable in custom {
        match variable.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                environment.insert(name.into(), value.into());
            }
            _ => problems.push(format!("env: {variable:?} is no variable: want \"NAME=VALUE\"")),
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(problems) }
}

/// Whether `*` and `?` of a pattern can stand for what a name has in their places.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let Some(first) = pattern_rest.next() else { return name.is_empty() };
    let mut name_rest = name.chars();
    match first {
        '*' => {
            let rest = pattern_rest.as_str();
            let mut tails = name.char_indices().map(|(index, _)| index).chain([name.len()]);
            tails.any(|index| name.get(index..).is_some_and(|tail| matches(rest, tail)))
        }
        first => match name_rest.next() {
            Some(char) if first == '?' || first == char => {
                matches(pattern_rest.as_str(), name_rest.as_str())
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &EnvironmentSettings) -> Vec<String> {
        let ours = ["PATH", "HOME", "VAULT_TOKEN", "CONSUL_HTTP_TOKEN"];
        let ours = ours.into_iter().map(|name| (name.into(), "x".into())).collect();
        let added = [("CONSUL_HTTP_ADDR", "y".to_owned())];
        let environment = environment(settings, &ours, &added).unwrap();
        environment.into_keys().map(|name| name.into_string().unwrap()).collect()
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_passed_on() {
        let all = EnvironmentSettings::default();
        assert_eq!(names(&all).len(), 5);
        let custom = list(&["A=b=c"]);
        let pristine =
            EnvironmentSettings { pristine: Some(true), custom: custom.clone(), ..all.clone() };
        assert_eq!(names(&pristine), ["A"]);
        let some = EnvironmentSettings {
            allowed: list(&["CONSUL_*", "P?TH"]),
            denied: list(&["*TOKEN"]),
            custom,
            ..all
        };
        assert_eq!(names(&some), ["A", "CONSUL_HTTP_ADDR", "PATH"]);
    }

    #[test]
    fn what_is_no_variable() {
        let wrong = EnvironmentSettings {
            custom: list(&["A", "=b"]),
            allowed: list(&["[A-Z]"]),
            ..EnvironmentSettings::default()
        };
        assert_eq!(environment(&wrong, &BTreeMap::new(), &[]).unwrap_err().len(), 3);
    }
}
