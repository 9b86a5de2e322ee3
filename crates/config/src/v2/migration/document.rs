//! A JSON5 text as it is being put together, and how it is written.

/// Longer lines are broken.
const WIDEST: usize = 96;

/// A value of the text.
pub(super) enum Out {
    /// As it is written.
    Scalar(String),
    List(Vec<Out>),
    Object(Object),
}

/// An object, its members in the order in which they were added.
#[derive(Default)]
pub(super) struct Object {
    /// Lines above the opening bracket.
    comments: Vec<String>,
    members: Vec<Member>,
}

struct Member {
    comments: Vec<String>,
    key: String,
    value: Out,
}

impl Object {
    /// Says something above the object, or, for the outermost one, above the text.
    pub(super) fn comment(&mut self, comment: impl Into<String>) {
        self.comments.push(comment.into());
    }

    pub(super) fn set(&mut self, key: &str, value: Out) {
        self.members.push(Member { comments: Vec::new(), key: key.into(), value });
    }

    /// The same if there is a value.
    pub(super) fn set_some(&mut self, key: &str, value: Option<Out>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Says something above the member that was added last.
    pub(super) fn explain(&mut self, comment: impl Into<String>) {
        if let Some(member) = self.members.last_mut() {
            member.comments.push(comment.into());
        }
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        let mut text = String::new();
        comments(&self.comments, 0, &mut text);
        write_object(&self.members, 0, &mut text);
        text.push('\n');
        text
    }
}

/// The value on one line, if nothing is said about its parts.
fn inline(value: &Out) -> Option<String> {
    match value {
        Out::Scalar(text) => Some(text.clone()),
        Out::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(inline).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Out::Object(object) if !object.comments.is_empty() => None,
        Out::Object(object) => {
            let members: Option<Vec<String>> = object.members.iter().map(inline_member).collect();
            match members?.join(", ") {
                members if members.is_empty() => Some("{}".into()),
                members => Some(format!("{{ {members} }}")),
            }
        }
    }
}

fn inline_member(member: &Member) -> Option<String> {
    if !member.comments.is_empty() {
        return None;
    }
    Some(format!("{}: {}", key(&member.key), inline(&member.value)?))
}

fn write(value: &Out, depth: usize, before: usize, text: &mut String) {
    if let Some(line) = inline(value)
        && before + line.chars().count() < WIDEST
    {
        text.push_str(&line);
        return;
    }
    match value {
        Out::Scalar(scalar) => text.push_str(scalar),
        Out::Object(object) => write_object(&object.members, depth, text),
        Out::List(items) => {
            text.push_str("[\n");
            for item in items {
                if let Out::Object(object) = item {
                    comments(&object.comments, depth + 1, text);
                }
                indent(depth + 1, text);
                match item {
                    // What is said about an object stands above it by now.
                    Out::Object(object) => write_members(object, depth + 1, text),
                    item => write(item, depth + 1, 2 * depth + 2, text),
                }
                text.push_str(",\n");
            }
            indent(depth, text);
            text.push(']');
        }
    }
}

/// An object of a list, on one line if it fits there.
fn write_members(object: &Object, depth: usize, text: &mut String) {
    let members: Option<Vec<String>> = object.members.iter().map(inline_member).collect();
    match members.map(|members| members.join(", ")) {
        Some(members) if 2 * depth + members.chars().count() + 6 < WIDEST => {
            text.extend(["{ ", &members, " }"]);
        }
        _ => write_object(&object.members, depth, text),
    }
}

fn write_object(members: &[Member], depth: usize, text: &mut String) {
    text.push_str("{\n");
    for member in members {
        comments(&member.comments, depth + 1, text);
        indent(depth + 1, text);
        let key = key(&member.key);
        let before = 2 * depth + 4 + key.chars().count();
        text.extend([&key, ": "]);
        write(&member.value, depth + 1, before, text);
        text.push_str(",\n");
    }
    indent(depth, text);
    text.push('}');
}

fn comments(lines: &[String], depth: usize, text: &mut String) {
    for line in lines {
        // Templates are rendered in comments too.
        let line = line.replace("{{", "{ {").replace(char::is_control, " ");
        indent(depth, text);
        text.extend(["// ", &line, "\n"]);
    }
}

fn indent(depth: usize, text: &mut String) {
    (0..depth).for_each(|_| text.push_str("  "));
}

/// A key, in quotes if it needs them.
fn key(key: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$');
    let digit = key.starts_with(|char: char| char.is_ascii_digit());
    if !key.is_empty() && !digit && key.chars().all(plain) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}
