//! Texts with template actions in them, kept apart from the rest so that a migrated file still has
//! them.

/// Private-use characters around an action's number: they stand for it while the text is parsed.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// A file in which every action has been replaced by a mark, and those that stood where a value
/// stands (`port: {{ .PORT }}`) by a string with one.
pub(crate) struct Marked {
    pub(crate) text: String,
    actions: Vec<String>,
}

/// A part of a string.
#[derive(Debug, PartialEq)]
pub(super) enum Segment<'a> {
    Literal(&'a str),
    /// With its braces.
    Action(&'a str),
}

/// Where in a JSON5 text one is.
enum Place {
    Value,
    String(char),
    LineComment,
    Comment,
}

impl Marked {
    /// `None` if the actions cannot be told from the rest.
    pub(crate) fn new(source: &str) -> Option<Self> {
        if source.contains([OPEN, CLOSE]) {
            return None;
        }
        let (mut text, mut actions) = (String::new(), Vec::new());
        let mut place = Place::Value;
        let mut rest = source;
        while let Some(char) = rest.chars().next() {
            if rest.starts_with("{{") {
                let length = action_length(rest)?;
                let (action, behind) = rest.split_at_checked(length)?;
                let mark = format!("{OPEN}{}{CLOSE}", actions.len());
                match place {
                    Place::Value => text.extend(["\"", &mark, "\""]),
                    Place::String(_) => text.push_str(&mark),
                    // It would be gone with the comment, and others stand under it.
                    Place::LineComment | Place::Comment if is_control(action) => return None,
                    Place::LineComment | Place::Comment => {}
                }
                actions.push(action.to_owned());
                rest = behind;
                continue;
            }
            let mut taken = char.len_utf8();
            place = match place {
                Place::Value if char == '"' || char == '\'' => Place::String(char),
                Place::Value if rest.starts_with("//") => Place::LineComment,
                Place::Value if rest.starts_with("/*") => {
                    taken = 2;
                    Place::Comment
                }
                Place::String(quote) if char == quote => Place::Value,
                Place::String(quote) if char == '\\' => {
                    taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                    Place::String(quote)
                }
                Place::LineComment if char == '\n' => Place::Value,
                Place::Comment if rest.starts_with("*/") => {
                    taken = 2;
                    Place::Value
                }
                same => same,
            };
            let (part, behind) = rest.split_at_checked(taken)?;
            text.push_str(part);
            rest = behind;
        }
        Some(Self { text, actions })
    }

    /// A text without actions, as it is.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), actions: Vec::new() }
    }

    /// The parts of a string of this file.
    pub(super) fn segments<'a>(&'a self, string: &'a str) -> Vec<Segment<'a>> {
        let mut segments = Vec::new();
        let mut parts = string.split(OPEN);
        segments.extend(parts.next().map(Segment::Literal));
        for part in parts {
            let (number, behind) = part.split_once(CLOSE).unwrap_or(("", part));
            let action = number.parse().ok().and_then(|number: usize| self.actions.get(number));
            segments.extend(action.map(|action| Segment::Action(action)));
            segments.push(Segment::Literal(behind));
        }
        segments.retain(|segment| *segment != Segment::Literal(""));
        segments
    }
}

/// Whether a string of a [`Marked`] has actions in it.
pub(super) fn has_actions(string: &str) -> bool {
    string.contains(OPEN)
}

/// The parts of a word of the command line; `None` if its actions cannot be told from the rest.
pub(super) fn word_segments(word: &str) -> Option<Vec<Segment<'_>>> {
    let mut segments = Vec::new();
    let mut rest = word;
    while let Some(start) = rest.find("{{") {
        let (literal, action) = rest.split_at_checked(start)?;
        let (action, behind) = action.split_at_checked(action_length(action)?)?;
        segments.extend([Segment::Literal(literal), Segment::Action(action)]);
        rest = behind;
    }
    segments.push(Segment::Literal(rest));
    segments.retain(|segment| *segment != Segment::Literal(""));
    Some(segments)
}

/// Whether an action does something to those behind it, be it that they are not there.
fn is_control(action: &str) -> bool {
    const WORDS: [&str; 9] =
        ["if", "else", "end", "range", "with", "define", "block", "break", "continue"];
    let inside = action.trim_start_matches('{').trim_start_matches('-').trim_start();
    let word = inside.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or("");
    WORDS.contains(&word) || inside.starts_with('$') && inside.contains('=')
}

/// The length of the action that a text begins with; strings and comments in it may hold braces.
fn action_length(text: &str) -> Option<usize> {
    let mut at = "{{".len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with("}}") {
            return Some(at + "}}".len());
        }
        let char = rest.chars().next()?;
        at += char.len_utf8();
        let behind = rest.get(char.len_utf8()..)?;
        at += match char {
            '"' | '\'' => end_of_quoted(behind, char)?,
            '`' => behind.find('`')? + 1,
            '/' if behind.starts_with('*') => behind.find("*/")? + 2,
            _ => 0,
        };
    }
}

/// Behind the quote that ends a string.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (offset, char) in text.char_indices() {
        if !escaped && char == quote {
            return Some(offset + char.len_utf8());
        }
        escaped = !escaped && char == '\\';
    }
    None
}

/// A JSON5 string of these parts. Braces that are no action are made one, for the result is a
/// template.
pub(super) fn quoted(segments: &[Segment<'_>], quote: char) -> String {
    let mut text = String::from(quote);
    for segment in segments {
        match segment {
            Segment::Action(action) => text.push_str(action),
            Segment::Literal(literal) => {
                for (index, part) in literal.split("{{").enumerate() {
                    if index > 0 {
                        // The outer quotes are no matter to the action: templates come first.
                        text.push_str("{{ \"{{\" }}");
                    }
                    part.chars().for_each(|char| escape(char, quote, &mut text));
                }
            }
        }
    }
    text.push(quote);
    text
}

fn escape(char: char, quote: char, text: &mut String) {
    match char {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        '\\' => text.push_str("\\\\"),
        char if char == quote => text.extend(['\\', quote]),
        char if char.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(char))),
        char => text.push(char),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_marked_wherever_they_stand() {
        let source = r#"{ a: {{ .PORT }}, // {{ .X }}
            'b': 'x{{ .Y | default "}}" }}"', /* " */ c: "{{ `}}` }}\"{{/* " */}}" }"#;
        let marked = Marked::new(source).expect("marks");
        assert_eq!(
            marked.actions,
            [
                "{{ .PORT }}",
                "{{ .X }}",
                r#"{{ .Y | default "}}" }}"#,
                "{{ `}}` }}",
                r#"{{/* " */}}"#
            ]
        );
        assert!(crate::json5::parse(&marked.text).is_ok(), "{}", marked.text);
        let string = "x\u{e000}2\u{e001}\"";
        let segments = marked.segments(string);
        assert_eq!(quoted(&segments, '\''), r#"'x{{ .Y | default "}}" }}"'"#);
    }

    #[test]
    fn what_looks_like_an_action_is_made_one() {
        assert_eq!(
            quoted(&[Segment::Literal("a{{{b}} \"\\\n")], '"'),
            r#""a{{ "{{" }}{b}} \"\\\n""#
        );
    }

    #[test]
    fn unfinished_actions() {
        for source in ["{{", "{{ \"}}", "{ a: '{{ .X }' }", "\u{e000}"] {
            assert!(Marked::new(source).is_none(), "{source}");
        }
        assert_eq!(
            word_segments("a{{.X}}"),
            Some(vec![Segment::Literal("a"), Segment::Action("{{.X}}")])
        );
        assert_eq!(word_segments("a{{.X"), None);
    }
}
