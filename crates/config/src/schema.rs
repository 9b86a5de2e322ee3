//! The JSON Schema of a file, for editors: what [`crate::keys`] says, in the words of draft 7.
//!
//! It is about one value at a time. What several keys demand of each other is left to `-check`, and
//! so are names that refer to others. Wherever a string may stand, one with a template may: its
//! value is not known before it is rendered. An action outside of quotes is no JSON; numbers may
//! therefore be strings.

use std::fmt::Write;

use crate::{
    Generation,
    decode::surroundings::SIGNALS,
    keys::{self, Kind, Table},
    v3,
};

/// The JSON Schema (draft 7) of the files of a generation, on one line.
pub fn schema(generation: Generation) -> String {
    let (root, any_case) = match generation {
        Generation::V2 => (&keys::V2, true),
        Generation::V3 => (&keys::V3, false),
    };
    let mut writer = Writer { text: String::new(), tables: vec![root], any_case };
    writer.push("{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"ContainerPilot\",\"type\":\"object\",");
    writer.push("\"allOf\":[{\"$ref\":\"#/definitions/file\"}],\"definitions\":{");
    for (index, (name, definition)) in DEFINITIONS.iter().enumerate() {
        writer.push(if index == 0 { "" } else { "," });
        writer.quoted(name);
        writer.push(":");
        writer.push(definition);
    }
    writer.push(",\"event\":{");
    // A signal is its own event; it may be named once more.
    let events: Vec<&str> = v3::events().chain(["SIGHUP", "SIGUSR2"]).collect();
    writer.words(&format!("{events:?}"), &[]);
    writer.push("}");
    // Tables are found while others are written.
    let mut next = 0;
    while let Some(table) = writer.tables.get(next).copied() {
        writer.table(table);
        next += 1;
    }
    writer.push("}}");
    writer.text
}

/// What many values are. Null is what is not given.
const DEFINITIONS: [(&str, &str); 23] = [
    ("text", r#"{"type":["string","null"]}"#),
    ("name", r#"{"type":"string","pattern":"\\S"}"#),
    ("path", r#"{"type":["string","null"],"pattern":"^(/|$)|\\{\\{"}"#),
    ("bool", r#"{"type":["boolean","null"]}"#),
    (
        "command",
        r#"{"anyOf":[{"type":"string","pattern":"\\S"},{"type":"array","minItems":1,"items":{"type":"string"}},{"type":"null"}]}"#,
    ),
    (
        "restarts",
        r#"{"type":["integer","string","null"],"minimum":0,"pattern":"^\\s*(unlimited|never|\\+?\\d+)\\s*$|\\{\\{"}"#,
    ),
    (
        "account",
        r#"{"type":["integer","string","null"],"minimum":0,"maximum":4294967294,"pattern":"^[^:/\\s]*$|\\{\\{"}"#,
    ),
    ("strings", r#"{"type":["string","array","null"],"items":{"type":"string"}}"#),
    (
        "numbers",
        r#"{"type":["array","null"],"minItems":1,"items":{"type":["number","string"],"pattern":"\\d|\\{\\{"}}"#,
    ),
    (
        "quantiles",
        r#"{"type":["array","null"],"minItems":1,"items":{"type":["number","string"],"exclusiveMinimum":0,"exclusiveMaximum":1,"pattern":"\\d|\\{\\{"}}"#,
    ),
    ("span", r##"{"allOf":[{"$ref":"#/definitions/time"}],"minimum":1}"##),
    ("time", r##"{"allOf":[{"$ref":"#/definitions/timeout"}],"minimum":0}"##),
    (
        "timeout",
        r#"{"type":["integer","string","null"],"pattern":"^\\s*([-+]?(\\d+|((\\d+\\.?\\d*|\\.\\d+)([nuµμm]?s|m|h))+))?\\s*$|\\{\\{"}"#,
    ),
    (
        "minMax",
        r#"{"type":["integer","string","null"],"minimum":0,"pattern":"^\\s*([-+]?(\\d+|((\\d+\\.?\\d*|\\.\\d+)([nuµμm]?s|m|h))+)\\s*(:\\s*\\+?(\\d+|((\\d+\\.?\\d*|\\.\\d+)([nuµμm]?s|m|h))+)\\s*)?)?$|\\{\\{"}"#,
    ),
    (
        "count",
        r#"{"type":["integer","string","null"],"minimum":1,"pattern":"^\\s*\\+?\\d*\\s*$|\\{\\{"}"#,
    ),
    ("mode", r#"{"type":["string","null"],"pattern":"^(0?[0-7]{3})?$|\\{\\{"}"#),
    (
        "status",
        r#"{"type":["integer","string","null"],"minimum":100,"maximum":599,"pattern":"^(\\s*[1-5]\\d\\d\\s*(-\\s*[1-5]\\d\\d\\s*)?)?$|\\{\\{"}"#,
    ),
    (
        "statuses",
        r##"{"anyOf":[{"$ref":"#/definitions/status"},{"type":"array","minItems":1,"items":{"$ref":"#/definitions/status"}}]}"##,
    ),
    ("scalar", r#"{"type":["string","number","boolean","null"]}"#),
    (
        "headers",
        r##"{"type":["object","null"],"propertyNames":{"pattern":"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},"additionalProperties":{"$ref":"#/definitions/scalar"}}"##,
    ),
    (
        "counts",
        r##"{"type":["object","null"],"additionalProperties":{"$ref":"#/definitions/count"}}"##,
    ),
    (
        "variables",
        r##"{"type":["object","null"],"propertyNames":{"pattern":"^[^=\\s]+$","not":{"pattern":"^CONTAINERPILOT_"}},"additionalProperties":{"$ref":"#/definitions/scalar"}}"##,
    ),
    (
        "metadata",
        r##"{"type":["object","null"],"maxProperties":64,"propertyNames":{"pattern":"^[A-Za-z0-9_-]{1,128}$","not":{"pattern":"^consul-"}},"additionalProperties":{"allOf":[{"$ref":"#/definitions/scalar"}],"maxLength":512}}"##,
    ),
];

struct Writer {
    text: String,
    /// Those that are referred to, in the order of their definitions.
    tables: Vec<&'static Table>,
    /// Whether keys match in any case of letters.
    any_case: bool,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn quoted(&mut self, text: &str) {
        // Documentation and keys have neither control characters nor much to escape.
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(self.text, "\"{text}\"");
    }

    fn table(&mut self, table: &'static Table) {
        self.push(",");
        self.quoted(table.name);
        self.push(":{\"type\":[\"object\",\"null\"],\"properties\":{");
        for (index, key) in table.keys().enumerate() {
            self.push(if index == 0 { "" } else { "," });
            self.quoted(key.name);
            self.push(":{\"description\":");
            self.quoted(key.doc);
            self.push(",");
            self.kind(&key.kind);
            self.push("}");
        }
        // In any case of letters, a key that is unknown, or missing, cannot be told by its name.
        if self.any_case {
            self.push("},\"propertyNames\":{\"pattern\":\"");
            let names: Vec<String> = table.keys().map(|key| any_case(key.name)).collect();
            let names = names.join("|");
            let _ = write!(self.text, "^({names})$\"}}");
        } else {
            let required: Vec<&str> =
                table.keys().filter(|key| key.is_required).map(|key| key.name).collect();
            self.push("},\"additionalProperties\":false");
            if !required.is_empty() {
                let _ = write!(self.text, ",\"required\":{required:?}");
            }
        }
        self.push("}");
    }

    /// The members of a schema that allow a kind of value.
    fn kind(&mut self, kind: &'static Kind) {
        match kind {
            Kind::Text => self.reference("text"),
            Kind::Name => self.reference("name"),
            Kind::Path => self.reference("path"),
            Kind::Event => self.reference("event"),
            Kind::Bool => self.reference("bool"),
            Kind::False => self.push("\"const\":false"),
            Kind::Command => self.reference("command"),
            Kind::Restarts => self.reference("restarts"),
            Kind::Account => self.reference("account"),
            Kind::Strings => self.reference("strings"),
            Kind::Numbers => self.reference("numbers"),
            Kind::Quantiles => self.reference("quantiles"),
            Kind::Variables => self.reference("variables"),
            Kind::Metadata => self.reference("metadata"),
            Kind::Wait => self.reference("minMax"),
            Kind::Count => self.reference("count"),
            Kind::Mode => self.reference("mode"),
            Kind::Statuses => self.reference("statuses"),
            Kind::Headers => self.reference("headers"),
            Kind::Counts => self.reference("counts"),
            Kind::Port(lowest) => {
                let _ = write!(
                    self.text,
                    r#""type":["integer","string","null"],"minimum":{lowest},"maximum":65535,"pattern":"^\\s*\\+?\\d+\\s*$|\\{{\\{{""#
                );
            }
            Kind::Duration(1) => self.reference("span"),
            Kind::Duration(0) => self.reference("time"),
            Kind::Duration(_) => self.reference("timeout"),
            Kind::Words(words) => {
                let patterns: Vec<String> = words.iter().map(|word| any_case(word)).collect();
                self.words(&format!("{words:?}"), &patterns);
            }
            Kind::Signal => {
                let names: Vec<&str> = SIGNALS.iter().map(|(name, _, _)| *name).collect();
                let numbers = SIGNALS.iter().map(|(_, number, _)| *number);
                let offered = format!("{names:?},{:?}", numbers.clone().collect::<Vec<_>>());
                let short = |name: &&str| any_case(name).replace("[sS][iI][gG]", "([sS][iI][gG])?");
                let patterns = names.iter().map(short);
                let patterns =
                    patterns.chain(numbers.map(|number| number.to_string())).collect::<Vec<_>>();
                self.words(&offered.replace("],[", ", "), &patterns);
            }
            Kind::List(table, least) => {
                self.push("\"type\":[\"array\",\"null\"],");
                if *least > 0 {
                    let _ = write!(self.text, "\"minItems\":{least},");
                }
                // Beside a reference nothing else counts.
                self.push("\"items\":{\"type\":\"object\",\"allOf\":[{");
                self.refer(table);
                self.push("}]}");
            }
            Kind::Object(table) => self.refer(table),
            Kind::OneOf(kinds) => {
                self.push("\"anyOf\":[");
                for (index, kind) in kinds.iter().enumerate() {
                    self.push(if index == 0 { "{" } else { ",{" });
                    self.kind(kind);
                    self.push("}");
                }
                self.push("]");
            }
        }
    }

    /// A list to choose from, which an editor offers, and the strings that are right too.
    fn words(&mut self, offered: &str, patterns: &[String]) {
        let patterns = patterns.join("|");
        let _ = write!(
            self.text,
            r#""anyOf":[{{"enum":{offered}}},{{"type":["string","null"],"pattern":"^\\s*({patterns})?\\s*$|\\{{\\{{"}}]"#
        );
    }

    fn reference(&mut self, name: &str) {
        let _ = write!(self.text, "\"$ref\":\"#/definitions/{name}\"");
    }

    fn refer(&mut self, table: &'static Table) {
        debug_assert!(DEFINITIONS.iter().all(|(name, _)| *name != table.name), "{}", table.name);
        if !self.tables.iter().any(|known| std::ptr::eq(*known, table)) {
            self.tables.push(table);
        }
        self.reference(table.name);
    }
}

/// A pattern for a word in any case of letters.
fn any_case(word: &str) -> String {
    let mut pattern = String::new();
    for char in word.chars() {
        if char.is_ascii_alphabetic() {
            pattern.extend(['[', char.to_ascii_lowercase(), char.to_ascii_uppercase(), ']']);
        } else if char.is_ascii_alphanumeric() || char == '_' {
            pattern.push(char);
        } else {
            // Once for the pattern, once for JSON.
            pattern.extend(["\\\\", &char.to_string()]);
        }
    }
    pattern
}
