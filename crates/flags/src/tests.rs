use super::*;

static TABLE: [Group; 1] = [Group {
    title: "all",
    flags: &[
        valued("config", "PATH", "where it is"),
        Flag { name: "level", value: "LEVEL", choices: &["high", "low"], help: "how loud" },
        switch("once", "and no more"),
        switch("help", "this"),
        switch("v", ""),
    ],
}];

fn words(line: &str) -> Result<Words, Error> {
    parse(&TABLE, line.split_whitespace().map(str::to_owned))
}

fn value(name: &'static str, value: &str) -> Given {
    Given::Value(name, value.to_owned())
}

#[test]
fn flags_have_one_dash_or_two_and_values_in_two_ways() {
    for line in ["-config a app", "-config=a app", "--config a app", "--config=a app"] {
        let parsed = words(line).unwrap();
        assert_eq!(parsed.given, [value("config", "a")], "{line}");
        assert_eq!(parsed.rest, ["app"], "{line}");
    }
    assert_eq!(words("-config=a=b=c").unwrap().given, [value("config", "a=b=c")]);
    // As Go has it, the next word is the value, whatever it is.
    assert_eq!(words("-config -once").unwrap().given, [value("config", "-once")]);
}

#[test]
fn nothing_after_the_first_other_word_is_a_flag() {
    for (line, rest) in [
        ("app -once", vec!["app", "-once"]),
        ("-once -- -once", vec!["-once"]),
        ("- -once", vec!["-", "-once"]),
        ("", vec![]),
    ] {
        assert_eq!(words(line).unwrap().rest, rest, "{line}");
    }
}

#[test]
fn a_switch_may_have_a_bool() {
    for (line, is) in [("-once", true), ("-once=T", true), ("-once=0", false)] {
        assert_eq!(words(line).unwrap().given, [Given::Switch("once", is)], "{line}");
    }
    assert_eq!(words("-h").unwrap().given, [Given::Switch("help", true)]);
    assert_eq!(words("-v").unwrap().given, [Given::Switch("v", true)]);
}

#[test]
fn what_is_wrong_is_named() {
    for (line, error) in [
        ("-cnofig x", "-cnofig: no such flag; see -help"),
        ("-config", "-config: want a value after it; see -help"),
        ("-once=perhaps", "-once: \"perhaps\" is no bool: want true or false"),
        ("-level middle", "-level: \"middle\": want one of high, low"),
    ] {
        assert_eq!(words(line).unwrap_err().to_string(), error, "{line}");
    }
}

#[test]
fn flags_without_a_help_are_not_shown() {
    let shown = describe(&TABLE);
    assert!(shown.contains("\nall:\n  -config PATH           where it is\n"), "{shown}");
    assert!(shown.contains("\n  -level high|low        how loud\n"), "{shown}");
    assert!(!shown.contains("-v"), "{shown}");
    assert_eq!(names(&TABLE).collect::<Vec<_>>(), ["config", "level", "once", "help"]);
}
