//! The command line, in the style of Go's flag package: `-flag value`, `-flag=value`, one dash or
//! two, and nothing after the first other word is ours.

mod help;
mod table;

use config::Generation;
use control::{Filter, Switch, wire};
use flags::Given as Word;

pub(crate) use help::{completion, help, manual};

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
    /// Talk to a running program.
    Talk {
        /// The value of `-config`, which names the socket.
        config: Option<String>,
        /// The socket itself.
        socket: Option<String>,
        /// What to ask for, in this order; at least one.
        orders: Vec<Order>,
    },
    /// Print something about a configuration.
    Show {
        /// What.
        what: View,
        /// The value of `-config`.
        config: Option<String>,
        /// The application that the configuration is for; may be empty.
        application: Vec<String>,
        /// Where to; `-` is stdout.
        out: String,
    },
    /// Print a text about the program itself.
    Print(String),
}

/// What is shown of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Whether it is valid, and what about it is probably not meant.
    Check,
    /// It with its templates rendered.
    Template,
    /// It as a 3.x one.
    Migrate,
    /// What any of this generation may be.
    Schema(Generation),
}

/// What a running program is asked or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Whether it is alive.
    Ping,
    /// To read its configuration again.
    Reload,
    /// To enter or leave maintenance.
    Maintenance(Switch),
    /// To set variables, or unset them with an empty value.
    PutEnv(Vec<(String, String)>),
    /// To take values of metrics.
    PutMetric(Vec<(String, String)>),
    /// How it is.
    Status(Format),
    /// What happens.
    Events(Filter, Format),
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for people.
    Text,
    /// JSON for programs.
    Json,
    /// Text, redrawn until somebody ends it.
    Live,
}

/// The flags as they were written, before they make sense together.
#[derive(Default)]
struct Given {
    config: Option<String>,
    out: Option<String>,
    socket: Option<String>,
    sources: Vec<String>,
    events: Vec<String>,
    orders: Vec<Order>,
    views: Vec<View>,
    text: Option<String>,
    json: bool,
    watch: bool,
}

/// Reads the words after the program's name.
///
/// # Errors
/// A flag that does not exist, lacks its value, has one where none belongs, or makes no sense
/// beside the others; as a message.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Request, String> {
    let words = flags::parse(&table::GROUPS, words).map_err(|error| match error {
        flags::Error::Unknown(word) if is_of_consul_template(&word) => format!(
            "{word}: that is a flag of consul-template, which this program is if it is called so: \
             want a link, ln -s containerpilot /usr/local/bin/consul-template"
        ),
        flags::Error::Unknown(word) => {
            let known: Vec<String> = table::all().map(|flag| format!("-{}", flag.name)).collect();
            format!("{word}: no such flag: want one of {}; see -help", known.join(", "))
        }
        error => error.to_string(),
    })?;
    let mut given = Given::default();
    for word in words.given {
        match word {
            Word::Switch(name, true) => given.switch(name),
            Word::Switch(_, false) => {}
            Word::Value(name, value) => given.value(name, value)?,
        }
    }
    given.request(words.rest)
}

impl Given {
    fn switch(&mut self, name: &str) {
        match name {
            "status" => self.orders.push(Order::Status(Format::Text)),
            "events" => self.orders.push(Order::Events(Filter::default(), Format::Text)),
            "ping" => self.orders.push(Order::Ping),
            "reload" => self.orders.push(Order::Reload),
            "watch" => self.watch = true,
            "json" => self.json = true,
            "check" => self.views.push(View::Check),
            "template" => self.views.push(View::Template),
            "migrate" => self.views.push(View::Migrate),
            "version" => self.text = Some(crate::app::version()),
            "help" => self.text = Some(help()),
            "manual" => self.text = Some(manual()),
            // The table has no other flags without a value; a test goes through it.
            _ => {}
        }
    }

    fn value(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "config" => self.config = Some(value),
            "out" => self.out = Some(value),
            "socket" => self.socket = Some(value),
            "source" => self.sources.push(value),
            "event" => {
                if !wire::EVENTS.contains(&value.as_str()) {
                    let want = wire::EVENTS.join(", ");
                    return Err(format!("-event: {value:?}: want one of {want}"));
                }
                self.events.push(value);
            }
            "schema" => self.views.push(View::Schema(match value.as_str() {
                "2.x" => Generation::V2,
                _ => Generation::V3,
            })),
            "completion" => self.text = Some(completion(&value)),
            "maintenance" => self.orders.push(Order::Maintenance(match value.as_str() {
                "enable" => Switch::Enable,
                _ => Switch::Disable,
            })),
            "putenv" | "putmetric" => {
                let Some((key, value)) = value.split_once('=').filter(|(key, _)| !key.is_empty())
                else {
                    return Err(format!("-{name}: {value:?}: want KEY=VALUE"));
                };
                let pair = (key.to_owned(), value.to_owned());
                // Those of one kind go as one request, so that all of them count or none.
                let same = self.orders.iter_mut().find_map(|order| match order {
                    Order::PutEnv(pairs) if name == "putenv" => Some(pairs),
                    Order::PutMetric(pairs) if name == "putmetric" => Some(pairs),
                    _ => None,
                });
                match same {
                    Some(pairs) => pairs.push(pair),
                    None if name == "putenv" => self.orders.push(Order::PutEnv(vec![pair])),
                    None => self.orders.push(Order::PutMetric(vec![pair])),
                }
            }
            // The table has no other flags with a value; a test goes through it.
            _ => {}
        }
        Ok(())
    }

    fn request(mut self, application: Vec<String>) -> Result<Request, String> {
        if let Some(text) = self.text {
            return Ok(Request::Print(text));
        }
        self.misplaced()?;
        let (json, live) = (self.json, self.watch);
        let filter = Filter { sources: self.sources, events: self.events };
        for order in &mut self.orders {
            match order {
                Order::Status(format) if live => *format = Format::Live,
                Order::Status(format) | Order::Events(_, format) if json => *format = Format::Json,
                _ => {}
            }
            if let Order::Events(which, _) = order {
                *which = filter.clone();
            }
        }
        let out = self.out.unwrap_or_else(|| "-".to_owned());
        Ok(match (self.views.first(), self.orders.is_empty()) {
            (Some(what), _) => Request::Show { what: *what, config: self.config, application, out },
            (None, false) => {
                Request::Talk { config: self.config, socket: self.socket, orders: self.orders }
            }
            (None, true) => Request::Run { config: self.config, application },
        })
    }

    /// Flags that go with others which are not there, or exclude others which are.
    fn misplaced(&self) -> Result<(), String> {
        let status = self.orders.iter().any(|order| matches!(order, Order::Status(_)));
        let events = self.orders.iter().any(|order| matches!(order, Order::Events(..)));
        let printed = self.views.iter().any(|view| *view != View::Check);
        let wrong = [
            (self.out.is_some() && !printed, "-out: only with -template, -migrate or -schema"),
            (self.watch && !status, "-watch: only with -status"),
            (self.json && !status && !events, "-json: only with -status or -events"),
            (self.watch && self.json, "-watch: not with -json, which is for programs"),
            (!self.sources.is_empty() && !events, "-source: only with -events"),
            (!self.events.is_empty() && !events, "-event: only with -events"),
            (
                self.socket.is_some() && self.orders.is_empty(),
                "-socket: only with what is asked there, like -status: the program's own socket \
                 is what its configuration names in control.socket",
            ),
            (
                self.views.len() + usize::from(!self.orders.is_empty()) > 1,
                "-check, -template, -migrate and -schema: want one of them, and nothing else",
            ),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, error)) => Err(error.to_owned()),
            None => Ok(()),
        }
    }
}

/// Whether a flag that is none of ours is one of theirs, with or without a value.
fn is_of_consul_template(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    consul_template::has_flag(name.split_once('=').map_or(name, |(name, _)| name))
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

    fn orders(line: &str) -> Vec<Order> {
        match parse_words(line) {
            Ok(Request::Talk { orders, .. }) => orders,
            other => panic!("{line}: {other:?}"),
        }
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
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            orders("-putenv A=b=c -putmetric x=1 -putenv=B= -reload"),
            [
                Order::PutEnv(vec![pair("A", "b=c"), pair("B", "")]),
                Order::PutMetric(vec![pair("x", "1")]),
                Order::Reload,
            ]
        );
    }

    #[test]
    fn filters_and_formats_go_to_what_they_belong_to() {
        let filter =
            Filter { sources: vec!["app".into(), "global".into()], events: vec!["healthy".into()] };
        assert_eq!(
            orders("-events -source app -source global -event healthy -json -status"),
            [Order::Events(filter, Format::Json), Order::Status(Format::Json)]
        );
        assert_eq!(orders("-watch -status"), [Order::Status(Format::Live)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, what) in [
            ("-cnofig x", "-cnofig: no such flag"),
            ("-config", "-config: want a value"),
            ("-template=perhaps", "\"perhaps\" is no bool"),
            ("-out x", "-out: only with -template"),
            ("-maintenance on", "want one of enable, disable"),
            ("-putenv A", "\"A\": want KEY=VALUE"),
            ("-putenv =1", "\"=1\": want KEY=VALUE"),
            ("-watch", "-watch: only with -status"),
            ("-status -watch -json", "-watch: not with -json"),
            ("-source app", "-source: only with -events"),
            ("-events -event healhty", "want one of healthy"),
            ("-check -migrate", "want one of them"),
            ("-check -ping", "want one of them"),
            ("-socket /x app", "-socket: only with"),
            ("-completion csh", "want one of bash, zsh, fish"),
            ("-dry", "a flag of consul-template"),
            ("--consul-addr=localhost:8500", "a flag of consul-template"),
        ] {
            let error = parse_words(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }

    /// A flag of the table that nothing reads would be a lie.
    #[test]
    fn every_flag_of_the_table_does_something() {
        for flag in table::all() {
            let mut line = format!("-{}", flag.name);
            match (flag.value, flag.choices.first()) {
                ("", _) => {}
                (_, Some(choice)) => line.push_str(&format!(" {choice}")),
                ("KEY=VALUE", _) => line.push_str(" A=1"),
                _ => line.push_str(" healthy"),
            }
            assert_ne!(parse_words(&line), run(None, ""), "{line}");
        }
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in help().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
