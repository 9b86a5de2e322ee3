//! Writes TOML as Go's `BurntSushi/toml` does: what is plain first, then tables, by key.

use std::fmt::Write as _;

use gotemplate::{Map, Object, Value};

use crate::{
    LIMITS,
    depth::{DEEPEST, too_deep},
};

/// Writes a map.
///
/// # Errors
/// What TOML cannot say, or what is too much.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let entries = entries(value)?;
    let entries = entries.ok_or("toml: top-level values must be Go maps or structs")?;
    let mut writer = Writer { out: String::new() };
    writer.table(&[], &entries)?;
    Ok(writer.out)
}

type Entries = Vec<(String, Value)>;

/// The entries of what is a table in TOML.
fn entries(value: &Value) -> Result<Option<Entries>, String> {
    Ok(match value {
        Value::Map(map) => Some(of_map(map)),
        Value::Object(object) if object.as_list().is_none() => Some(of_object(&**object)?),
        _ => None,
    })
}

fn of_map(map: &Map) -> Entries {
    map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

fn of_object(object: &dyn Object) -> Result<Entries, String> {
    let field = |name: &&str| {
        // A field that cannot be had is a method that fails.
        let value = match object.method(name) {
            Some(_) => object.call_method(name, &[])?,
            None => object.field(name).unwrap_or_default(),
        };
        Ok((name.to_string(), value))
    };
    object.field_names().iter().map(field).collect()
}

/// A list of nothing but tables, which has tables of its own.
fn tables(value: &Value) -> Result<Option<Vec<Entries>>, String> {
    let Some(list) = value.as_list().filter(|list| !list.items().is_empty()) else {
        return Ok(None);
    };
    list.items().iter().map(entries).collect()
}

struct Writer {
    out: String,
}

impl Writer {
    fn table(&mut self, path: &[String], all: &Entries) -> Result<(), String> {
        if path.len() > 2 * DEEPEST {
            return Err(too_deep());
        }
        if self.out.len() > LIMITS.made {
            return Err(format!("makes too much text: more than {} bytes", LIMITS.made));
        }
        let mut later = Vec::new();
        for (key, value) in all {
            if value.is_nil() {
                continue;
            }
            if entries(value)?.is_some() || tables(value)?.is_some() {
                later.push((key, value));
                continue;
            }
            self.indent(path.len());
            self.key(key);
            self.out.push_str(" = ");
            self.value(value, 0)?;
            self.out.push('\n');
        }
        for (key, value) in later {
            let mut path = path.to_vec();
            path.push(key.clone());
            if let Some(tables) = tables(value)? {
                for table in tables {
                    self.header(&path, "[[", "]]");
                    self.table(&path, &table)?;
                }
            } else if let Some(table) = entries(value)? {
                self.header(&path, "[", "]");
                self.table(&path, &table)?;
            }
        }
        Ok(())
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    fn header(&mut self, path: &[String], open: &str, close: &str) {
        // A table at the top is set apart, and so is one of several.
        if (path.len() == 1 || open == "[[") && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.indent(path.len().saturating_sub(1));
        self.out.push_str(open);
        for (index, key) in path.iter().enumerate() {
            if index > 0 {
                self.out.push('.');
            }
            self.key(key);
        }
        self.out.push_str(close);
        self.out.push('\n');
    }

    fn key(&mut self, key: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !key.is_empty() && key.chars().all(plain) {
            self.out.push_str(key);
        } else {
            self.string(key);
        }
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > 2 * DEEPEST {
            return Err(too_deep());
        }
        // Writing into a string cannot fail.
        let _ = match value {
            Value::Bool(value) => write!(self.out, "{value}"),
            Value::Int(number) => write!(self.out, "{number}"),
            Value::Uint(number) => write!(self.out, "{number}"),
            Value::Float(number) => {
                self.float(*number);
                Ok(())
            }
            Value::String(text) => {
                self.string(text);
                Ok(())
            }
            Value::Nil => return Err("toml: a list cannot hold nothing (null)".to_owned()),
            Value::Func(_) => return Err(format!("toml: unsupported type: {}", value.type_name())),
            other => match (other.as_list(), entries(other)?) {
                (Some(list), _) => {
                    self.out.push('[');
                    for (index, item) in list.items().iter().enumerate() {
                        if index > 0 {
                            self.out.push_str(", ");
                        }
                        self.value(item, depth + 1)?;
                    }
                    self.out.push(']');
                    Ok(())
                }
                (None, inline) => {
                    self.out.push('{');
                    let inline = inline.unwrap_or_default();
                    let mut first = true;
                    for (key, value) in inline.iter().filter(|(_, value)| !value.is_nil()) {
                        if !first {
                            self.out.push_str(", ");
                        }
                        first = false;
                        self.key(key);
                        self.out.push_str(" = ");
                        self.value(value, depth + 1)?;
                    }
                    self.out.push('}');
                    Ok(())
                }
            },
        };
        Ok(())
    }

    fn float(&mut self, number: f64) {
        if number.is_nan() {
            self.out.push_str("nan");
        } else if number.is_infinite() {
            self.out.push_str(if number > 0.0 { "+inf" } else { "-inf" });
        } else {
            let text = number.to_string();
            self.out.push_str(&text);
            if !text.contains('.') {
                self.out.push_str(".0");
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            let _ = match letter {
                '\t' => self.out.write_str("\\t"),
                '\n' => self.out.write_str("\\n"),
                '\r' => self.out.write_str("\\r"),
                '"' => self.out.write_str("\\\""),
                '\\' => self.out.write_str("\\\\"),
                '\x08' => self.out.write_str("\\b"),
                '\x0c' => self.out.write_str("\\f"),
                '\0'..' ' | '\x7f' => write!(self.out, "\\u{:04x}", u32::from(letter)),
                letter => self.out.write_char(letter),
            };
        }
        self.out.push('"');
    }
}
