//! The command line, in the style of Go's flag package: `-flag value`, `-flag=value`, one dash or
//! two, and nothing after the first other word is ours.

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run the configuration and, in a 1.x/2.x one, this application.
    Run {
        /// The value of `-config`.
        config: Option<String>,
        /// The application and its arguments; may be empty.
        application: Vec<String>,
    },
    /// Say whether the configuration is valid, and what about it is probably not meant.
    Check {
        /// The value of `-config`.
        config: Option<String>,
        /// The application that the configuration is for; may be empty.
        application: Vec<String>,
    },
    /// Print the rendered configuration.
    Template {
        /// The value of `-config`.
        config: Option<String>,
        /// Where to; `-` is stdout.
        out: String,
    },
    /// Print what version this is.
    Version,
    /// Print what there is to know.
    Help,
}

/// `-help`.
pub(crate) const HELP: &str = "\
containerpilot starts an application in its container, waits for what it depends on, checks its
health, registers it in a catalog, reacts to changes there, and stops everything in order.

usage: containerpilot [flags] [application [arguments...]]

flags (-flag value and -flag=value, with one dash or two):
  -config VALUE   the configuration: a path, file://PATH, or the JSON5 text itself;
                  without the flag, the same from the variable CONTAINERPILOT
  -check          say everything that is wrong with the configuration, and what is legal but
                  probably not meant; start nothing; exit with 0 if it is valid
  -template       print the configuration with its templates rendered, and exit
  -out VALUE      where -template prints to: a path, file://PATH, or - for stdout (default)
  -version        print the version, and exit
  -help           print this, and exit

Everything after the first word that is no flag belongs to the application (1.x/2.x
configurations; in a 3.x one the application is a job).

signals:
  SIGTERM, SIGINT   stop in order; SIGINT twice: kill what is left
  SIGHUP            1.x/2.x: reload the configuration; 3.x: an event that jobs can wait for
  SIGUSR1           1.x/2.x: enter or leave maintenance; all: reopen the log file
  SIGUSR2           3.x: an event that jobs can wait for

exit code: the application's (128 + n if signal n killed it); 127 and 126 if it is missing or
cannot be executed; 1 if the configuration cannot be used; 2 if the command line cannot.

A first configuration, to be run as `containerpilot -config app.json5`:

  {
    consul: 'localhost:8500',
    jobs: [{
      name: 'app',
      exec: 'python3 -m http.server 8080',
      port: 8080,
      health: { exec: 'wget -q -O /dev/null http://localhost:8080/', interval: 5, ttl: 15 },
    }],
  }
";

const FLAGS: &str = "-config, -check, -template, -out, -version, -help";

/// Reads the words after the program's name.
///
/// # Errors
/// A flag that does not exist, lacks its value, or has one where none belongs; as a message.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let mut words = words.into_iter().peekable();
    let (mut config, mut out) = (None, None);
    let (mut check, mut template, mut version, mut help) = (false, false, false, false);
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if word == "--" {
            break;
        }
        let flag = word.strip_prefix("--").or(word.strip_prefix('-')).unwrap_or(&word);
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        match name {
            "config" => config = Some(text(name, value, &mut words)?),
            "out" => out = Some(text(name, value, &mut words)?),
            "check" => check = switch(name, value)?,
            "template" => template = switch(name, value)?,
            "version" => version = switch(name, value)?,
            "help" | "h" => help = switch(name, value)?,
            _ => return Err(format!("{word}: no such flag: want one of {FLAGS}; see -help")),
        }
    }
    let application: Vec<String> = words.collect();
    if help {
        Ok(Request::Help)
    } else if version {
        Ok(Request::Version)
    } else if template {
        Ok(Request::Template { config, out: out.unwrap_or_else(|| "-".to_owned()) })
    } else if out.is_some() {
        Err("-out: only with -template: it says where -template prints to".to_owned())
    } else if check {
        Ok(Request::Check { config, application })
    } else {
        Ok(Request::Run { config, application })
    }
}

fn text(
    name: &str,
    value: Option<String>,
    words: &mut impl Iterator<Item = String>,
) -> Result<String, String> {
    value
        .or_else(|| words.next())
        .ok_or_else(|| format!("-{name}: want a value after it; see -help"))
}

/// A flag without a value, or with one of those that Go takes for a bool.
fn switch(name: &str, value: Option<String>) -> Result<bool, String> {
    match value.as_deref() {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("-{name}: {other:?} is no bool: want true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn run(config: Option<&str>, application: &str) -> Result<Request, String> {
        Ok(Request::Run {
            config: config.map(str::to_owned),
            application: application.split_whitespace().map(str::to_owned).collect(),
        })
    }

    #[test]
    fn flags_have_one_dash_or_two_and_values_in_two_ways() {
        for line in ["-config a app", "-config=a app", "--config a app", "--config=a app"] {
            assert_eq!(parse_words(line), run(Some("a"), "app"), "{line}");
        }
    }

    #[test]
    fn everything_after_the_first_other_word_is_the_applications() {
        assert_eq!(parse_words("app -config x --version"), run(None, "app -config x --version"));
        assert_eq!(parse_words("-config a -- -app -x"), run(Some("a"), "-app -x"));
        assert_eq!(parse_words("- -version"), run(None, "- -version"));
        assert_eq!(parse_words(""), run(None, ""));
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(parse_words("-config=a=b=c"), run(Some("a=b=c"), ""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, what) in [
            ("-cnofig x", "-cnofig: no such flag"),
            ("-config", "-config: want a value"),
            ("-template=perhaps", "\"perhaps\" is no bool"),
            ("-out x", "-out: only with -template"),
        ] {
            let error = parse_words(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
