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
    let lower = word.to_lowercase();
    let nearest = known
        .into_iter()
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)?;
    // A third of the letters may differ, and one even in short words.
    let allowed = (word.chars().count() / 3).max(1);
    (nearest.0 <= allowed).then(|| format!("did you mean {:?}?", nearest.1))
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

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let at =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, column) + usize::from(a != b))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = row > 0
                && column > 0
                && from.get(row - 1) == Some(b)
                && to.get(column - 1) == Some(a);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
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
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
