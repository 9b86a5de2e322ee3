//! Single values, as flags and files spell them. Errors name the value and say what would be right.

use std::{path::PathBuf, str::FromStr as _, time::Duration};

use config::did_you_mean;
use log::LevelFilter;
use process::Signal;
use render::Wait;

use crate::settings::{Command, TemplateSettings};

/// Without MAX it is so many times MIN.
const LONGEST_WAIT: u32 = 4;

/// A duration in Go's notation. Zero is one.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let rule = "want one with its unit, such as 500ms, 5s or 1m30s";
    let bare = text.trim().bytes().all(|byte| byte.is_ascii_digit()) && text.trim() != "0";
    match config::parse_duration(text) {
        Ok(_) if bare => Err(format!("{text:?} has no unit: {rule}")),
        Ok(duration) => Ok(duration),
        Err(fault) => Err(format!("{text:?} {fault}: {rule}")),
    }
}

/// `MIN[:MAX]`. A MIN of nothing: no waiting.
pub(crate) fn wait(text: &str) -> Result<Option<Wait>, String> {
    let (min, max) = match text.split_once(':') {
        Some((min, max)) => (duration(min)?, Some(duration(max)?)),
        None => (duration(text)?, None),
    };
    between(min, max)
}

/// A wait of these two.
pub(crate) fn between(min: Duration, max: Option<Duration>) -> Result<Option<Wait>, String> {
    let max = max.unwrap_or_else(|| min.saturating_mul(LONGEST_WAIT));
    if max < min {
        return Err(format!("{max:?} is less than {min:?}: want MIN:MAX with MAX the longer one"));
    }
    Ok((!min.is_zero()).then_some(Wait { min, max }))
}

/// A signal by its name. The empty name: none.
pub(crate) fn signal(text: &str) -> Result<Option<Signal>, String> {
    let name = text.trim().to_ascii_uppercase();
    // As the original has it: a way to say none in a file that overrides another one.
    if name.is_empty() || name == "SIGNULL" || name == "NULL" {
        return Ok(None);
    }
    let long = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    Signal::from_str(&long).map(Some).map_err(|_| {
        let meant = did_you_mean(&long, Signal::iterator().map(Signal::as_str));
        let rule = meant.unwrap_or_else(|| "want a name like SIGHUP".to_owned());
        format!("{text:?} is not a signal: {rule}")
    })
}

/// A level of the log.
pub(crate) fn level(text: &str) -> Result<LevelFilter, String> {
    Ok(match text.trim().to_ascii_lowercase().as_str() {
        "trace" | "debug" => LevelFilter::Debug,
        "info" => LevelFilter::Info,
        "warn" | "warning" => LevelFilter::Warn,
        "err" | "error" => LevelFilter::Error,
        _ => {
            let rule = "want debug, info, warn or err";
            return Err(format!("{text:?} is not a level: {rule}"));
        }
    })
}

/// Permissions of a file, in octal.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.trim(), 8) {
        Ok(mode) if mode <= 0o7777 && !text.trim().is_empty() => Ok(mode),
        _ => Err(format!("{text:?} is not a file's mode: want octal digits, such as 0644")),
    }
}

/// `NAME[:PASSWORD]`.
pub(crate) fn login(text: &str) -> (String, String) {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    (name.to_owned(), password.to_owned())
}

/// `SOURCE[:DESTINATION[:COMMAND]]`. A command may have colons.
pub(crate) fn template(text: &str) -> Result<TemplateSettings, String> {
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next().filter(|part| !part.trim().is_empty());
    let (source, destination, command) = (part(), part(), part());
    let Some(source) = source else {
        let rule = "want SOURCE:DESTINATION[:COMMAND]";
        return Err(format!("{text:?} names no template: {rule}"));
    };
    Ok(TemplateSettings {
        source: Some(PathBuf::from(source.trim())),
        destination: destination.map(|path| PathBuf::from(path.trim())),
        command: command.map(|command| Command::Shell(command.to_owned())),
        ..TemplateSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_up_to_three_parts() {
        let parts = |text| {
            let TemplateSettings { source, destination, command, .. } = template(text).unwrap();
            (source.unwrap(), destination, command)
        };
        let path = |path: &str| Some(PathBuf::from(path));
        let shell = |command: &str| Some(Command::Shell(command.to_owned()));
        assert_eq!(parts("a.ctmpl"), ("a.ctmpl".into(), None, None));
        assert_eq!(parts("a:b"), ("a".into(), path("b"), None));
        assert_eq!(parts("/a: /b :c d"), ("/a".into(), path("/b"), shell("c d")));
        assert_eq!(
            parts("a:b:curl http://x:80/?a=b:c"),
            ("a".into(), path("b"), shell("curl http://x:80/?a=b:c"))
        );
        assert_eq!(parts("a::c"), ("a".into(), None, shell("c")));
        assert!(template("").is_err());
        assert!(template(":b").is_err());
    }

    #[test]
    fn waits() {
        let seconds = Duration::from_secs;
        let is = |min, max| Ok(Some(Wait { min: seconds(min), max: seconds(max) }));
        assert_eq!(wait("5s"), is(5, 20));
        assert_eq!(wait("5s:10s"), is(5, 10));
        assert_eq!(wait("0s"), Ok(None));
        for wrong in ["", "5", "5s:", "10s:5s", "5s:6s:7s", "-1s"] {
            assert!(wait(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signals_levels_and_modes() {
        for name in ["SIGUSR1", "usr1", "sigusr1"] {
            assert_eq!(signal(name), Ok(Some(Signal::SIGUSR1)), "{name}");
        }
        assert_eq!(signal(""), Ok(None));
        assert_eq!(
            signal("SIGHUB").unwrap_err(),
            "\"SIGHUB\" is not a signal: did you mean \"SIGHUP\"?"
        );
        assert_eq!(level("WARN"), Ok(LevelFilter::Warn));
        assert!(level("loud").is_err());
        assert_eq!(mode("0640"), Ok(0o640));
        for wrong in ["", "0800", "99999", "rw"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
