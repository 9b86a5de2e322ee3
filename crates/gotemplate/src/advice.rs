//! What a person may want to know beyond Go's words. It stands beside them and never in them, so
//! that these stay Go's to the letter.

use crate::value::Value;

/// So much of a word is looked at: the work grows with the square.
const LONGEST: usize = 64;

/// The word among the known ones that is likely to be meant: of those that differ least the first,
/// and none if a third of the letters differ (one may, even in short words).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(word, &mut known.into_iter())
}

/// The same, for all kinds of lists at once.
fn nearest_of<'a>(word: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = (lower.chars().take(LONGEST).count() / 3).max(1);
    let distances = known.map(|known| (distance(&lower, &known.to_lowercase()), known));
    let nearest = distances.min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= allowed).then_some(nearest.1)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(LONGEST).collect();
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let changed = at(&last, column) + usize::from(a != b);
            let mut least = changed.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if let (Some(row), Some(column)) = (row.checked_sub(1), column.checked_sub(1))
                && from.get(row) == Some(b)
                && to.get(column) == Some(a)
            {
                least = least.min(at(&before_last, column) + 1);
            }
            current.push(least);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    at(&last, to.len())
}

/// About a field that the value does not have.
pub(crate) fn missing_field(name: &str, value: &Value) -> Option<String> {
    if let Value::Object(object) = value {
        let known = object.field_names();
        // Methods have no list; most slips are about the first letter.
        let mut rest = name.chars();
        let capitalised: String =
            rest.next()?.to_uppercase().chain(rest.as_str().chars()).collect();
        if object.method(&capitalised).is_some() {
            return Some(format!("did you mean .{capitalised}?"));
        }
        if let Some(meant) = nearest(name, known.iter().copied()) {
            return Some(format!("did you mean .{meant}?"));
        }
        if !known.is_empty() {
            return Some(format!("it has .{}", known.join(" .")));
        }
    }
    value.as_list()?;
    Some("it is a list: want {{range}} over it, or index".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_meant() {
        let known = ["service", "services", "toJSON", "print", "printf"];
        let meant = |word| nearest(word, known);
        assert_eq!(meant("servce"), Some("service"));
        assert_eq!(meant("tojson"), Some("toJSON"));
        assert_eq!(meant("rpint"), Some("print"));
        assert_eq!(meant("somethingElse"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"x".repeat(1000)), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
