//! What the user may have meant.

/// Keys that others have, other programs or other objects, where we have something else: the object's name in the schema, the
/// key in lower case without `_` and `-`, and what would be right.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("template", "perms", "want \"mode\""),
    ("template", "leftdelimiter", DELIMITERS),
    ("template", "rightdelimiter", DELIMITERS),
    ("template", "command", COMMAND),
    ("template", "exec", COMMAND),
    ("health", "command", "want \"exec\""),
    ("health", "test", "want \"exec\""),
    ("health", "httpget", "want \"http\", a URL"),
    ("health", "url", "want \"http\", a URL"),
    ("health", "tcpsocket", "want \"tcp\", host:port"),
    ("health", "status", "want \"expect\""),
    ("health", "retries", "want \"failures\""),
    ("health", "failurethreshold", "want \"failures\""),
    ("health", "successthreshold", "want \"successes\""),
    ("health", "initialdelayseconds", "want \"startPeriod\""),
    ("health", "periodseconds", "want \"interval\""),
    ("health", "timeoutseconds", "want \"timeout\""),
    ("serviceHealth", "interval", "want \"poll\" in the service"),
    ("serviceHealth", "ttl", IN_THE_SERVICE),
    ("serviceHealth", "timeout", IN_THE_SERVICE),
    ("serviceHealth", "command", "want \"exec\""),
    ("serviceHealth", "retries", "want \"failures\""),
];
const IN_THE_SERVICE: &str = "want it in the service, beside \"health\"";
const DELIMITERS: &str = "want \"delimiters\", like [\"<<\", \">>\"]";
const COMMAND: &str =
    "want a job with \"when\": { \"source\": \"template.NAME\", \"each\": \"changed\" }";

/// What stands here for a key that belongs elsewhere.
pub(crate) fn foreign(table: &str, key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase().replace(['_', '-'], "");
    let known = FOREIGN.iter().find(|(of, known, _)| *of == table && *known == key)?;
    Some(known.2)
}

/// `did you mean "health"?`, if one of the known words is near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    gotemplate::nearest(word, known).map(|known| format!("did you mean {known:?}?"))
}

/// A list of words for a message, `a, b or c`.
#[must_use]
pub fn one_of<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => "nothing".into(),
        Some((last, [])) => (*last).into(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested() {
        let known = ["health", "name", "poll", "port", "ttl"];
        let meant = |word| did_you_mean(word, known);
        assert_eq!(meant("helth").as_deref(), Some("did you mean \"health\"?"));
        assert_eq!(meant("haelth").as_deref(), Some("did you mean \"health\"?"));
        assert_eq!(meant("PORT").as_deref(), Some("did you mean \"port\"?"));
        assert_eq!(meant("tll").as_deref(), Some("did you mean \"ttl\"?"));
        assert_eq!(meant("command"), None);
    }
}
