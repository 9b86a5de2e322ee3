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
    // Which beginnings of the name, the shortest first, the pattern up to here can stand for.
    let mut stands = vec![false; name.chars().count().saturating_add(1)];
    if let Some(nothing) = stands.first_mut() {
        *nothing = true;
    }
    for sign in pattern.chars() {
        let mut next = Vec::with_capacity(stands.len());
        if sign == '*' {
            let mut shorter = false;
            next.extend(stands.iter().map(|stands| {
                shorter |= stands;
                shorter
            }));
        } else {
            next.push(false);
            let signs = stands.iter().zip(name.chars());
            next.extend(signs.map(|(stands, char)| *stands && (sign == '?' || sign == char)));
        }
        stands = next;
    }
    stands.last() == Some(&true)
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
    fn patterns() {
        for (pattern, name) in [("", ""), ("*", ""), ("**", "a"), ("a*c", "ac"), ("*?", "ä")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("a", ""), ("?", ""), ("a*c", "acb"), ("ab", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        // Trying all that each could stand for would take longer than anybody lives.
        assert!(!matches(&format!("{}c", "*a".repeat(50)), &"ab".repeat(500)));
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
