//! Writes YAML in blocks, with the quotes, breaks and order of keys of Go's `yaml.v2`.

use std::{cmp::Ordering, fmt::Write as _};

use gotemplate::Value;

use super::scalar::needs_quotes;
use crate::{
    LIMITS,
    depth::{DEEPEST, too_deep},
};

/// Lines are broken at spaces beyond this column.
const WIDTH: usize = 80;

/// Keys that are longer, in bytes, are marked as keys.
const LONGEST_KEY: usize = 128;

/// Writes one value.
///
/// # Errors
/// It cannot be said, or is too much.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter { out: String::new(), line: 0, depth: 0 };
    emitter.node(value, None, Place::Root)?;
    emitter.out.push('\n');
    Ok(emitter.out)
}

/// What a value stands in.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    /// After `-`, or `:` on a line of its own.
    List,
    /// After `key:`.
    Map,
}

struct Emitter {
    out: String,
    /// Where the last line begins.
    line: usize,
    depth: usize,
}

impl Emitter {
    fn column(&self) -> usize {
        self.out.get(self.line..).map_or(0, |line| line.chars().count())
    }

    fn new_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.line = self.out.len();
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Writes a value. `indent` is that of what it stands in; `None`: it stands in nothing.
    fn node(&mut self, value: &Value, indent: Option<usize>, place: Place) -> Result<(), String> {
        if self.out.len() > LIMITS.made {
            return Err(format!("makes too much text: more than {} bytes", LIMITS.made));
        }
        self.depth += 1;
        // Objects add a few levels to what values may have.
        if self.depth > 2 * DEEPEST {
            return Err(too_deep());
        }
        match value {
            Value::List(list) => self.list(list.items(), indent, place)?,
            Value::Map(map) => {
                let entries = map.iter().map(|(key, value)| (&**key, value.clone())).collect();
                self.map(&sorted(entries), indent, place)?;
            }
            Value::Object(object) => match object.as_list() {
                Some(list) => self.list(list.items(), indent, place)?,
                None => {
                    let mut entries = Vec::new();
                    let names: Vec<String> =
                        object.field_names().iter().map(|name| name.to_lowercase()).collect();
                    for (name, key) in object.field_names().iter().zip(&names) {
                        // A field that cannot be had is a method that fails.
                        let field = match object.method(name) {
                            Some(_) => object.call_method(name, &[])?,
                            None => object.field(name).unwrap_or_default(),
                        };
                        entries.push((key.as_str(), field));
                    }
                    self.map(&entries, indent, place)?;
                }
            },
            Value::Func(_) => return Err(format!("cannot marshal type: {}", value.type_name())),
            scalar => {
                if place != Place::Root {
                    self.out.push(' ');
                }
                self.scalar(scalar, indent, false);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, items: &[Value], indent: Option<usize>, place: Place) -> Result<(), String> {
        if items.is_empty() {
            self.out.push_str(if place == Place::Root { "[]" } else { " []" });
            return Ok(());
        }
        // A list in a map is not indented.
        let own = match (indent, place) {
            (None, _) => 0,
            (Some(indent), Place::Map) => indent,
            (Some(indent), _) => indent + 2,
        };
        for (index, item) in items.iter().enumerate() {
            self.begin_entry(index == 0, own, place);
            self.out.push('-');
            self.node(item, Some(own), Place::List)?;
        }
        Ok(())
    }

    fn map(
        &mut self,
        entries: &[(&str, Value)],
        indent: Option<usize>,
        place: Place,
    ) -> Result<(), String> {
        if entries.is_empty() {
            self.out.push_str(if place == Place::Root { "{}" } else { " {}" });
            return Ok(());
        }
        let own = indent.map_or(0, |indent| indent + 2);
        for (index, (key, value)) in entries.iter().enumerate() {
            self.begin_entry(index == 0, own, place);
            let key_value = Value::from(*key);
            let simple = key.len() <= LONGEST_KEY && !key.contains(is_break);
            if simple {
                self.scalar(&key_value, Some(own), true);
            } else {
                self.out.push_str("? ");
                self.scalar(&key_value, Some(own), false);
                self.new_line(own);
            }
            self.out.push(':');
            // What follows a key that is marked stands as behind a dash.
            self.node(value, Some(own), if simple { Place::Map } else { Place::List })?;
        }
        Ok(())
    }

    /// The first entry in a list stands behind its dash, the first of all where the text begins.
    fn begin_entry(&mut self, first: bool, indent: usize, place: Place) {
        match (first, place) {
            (true, Place::Root) => {}
            (true, Place::List) => self.out.push(' '),
            _ => self.new_line(indent),
        }
    }

    fn scalar(&mut self, value: &Value, indent: Option<usize>, key: bool) {
        let deeper = indent.map_or(2, |indent| indent + 2);
        // Writing into a string cannot fail.
        let _ = match value {
            Value::String(text) => {
                self.text(text, deeper, key);
                Ok(())
            }
            Value::Bool(value) => write!(self.out, "{value}"),
            Value::Int(number) => write!(self.out, "{number}"),
            Value::Uint(number) => write!(self.out, "{number}"),
            Value::Float(number) => write!(self.out, "{}", float(*number)),
            _ => write!(self.out, "null"),
        };
    }

    fn text(&mut self, text: &str, indent: usize, key: bool) {
        let traits = Traits::of(text);
        if text.contains('\n') {
            if traits.literal && !key {
                self.literal(text, indent);
            } else {
                self.double_quoted(text, indent, key);
            }
        } else if needs_quotes(text) || key && text == "<<" {
            self.double_quoted(text, indent, key);
        } else if traits.plain {
            self.plain(text, indent, key);
        } else if traits.single_quoted {
            self.single_quoted(text, indent, key);
        } else {
            self.double_quoted(text, indent, key);
        }
    }

    fn plain(&mut self, text: &str, indent: usize, key: bool) {
        let mut spaces = false;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let folds = letter == ' ' && !key && !spaces && self.column() > WIDTH;
            if folds && letters.peek() != Some(&' ') {
                self.new_line(indent);
            } else {
                self.out.push(letter);
            }
            spaces = letter == ' ';
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, key: bool) {
        self.out.push('\'');
        let mut spaces = false;
        let mut first = true;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let folds = letter == ' ' && !key && !spaces && !first && self.column() > WIDTH;
            match (letter, letters.peek()) {
                (' ', Some(next)) if folds && *next != ' ' => self.new_line(indent),
                ('\'', _) => self.out.push_str("''"),
                _ => self.out.push(letter),
            }
            spaces = letter == ' ';
            first = false;
        }
        self.out.push('\'');
    }

    fn double_quoted(&mut self, text: &str, indent: usize, key: bool) {
        self.out.push('"');
        let mut spaces = false;
        let mut first = true;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == ' ' {
                let folds = !key && !spaces && !first && self.column() > WIDTH;
                match letters.peek() {
                    Some(next) if folds => {
                        let escaped = *next == ' ';
                        self.new_line(indent);
                        if escaped {
                            self.out.push('\\');
                        }
                    }
                    _ => self.out.push(' '),
                }
                spaces = true;
            } else {
                if is_printable(letter) && !is_break(letter) && letter != '"' && letter != '\\' {
                    self.out.push(letter);
                } else {
                    self.escaped(letter);
                }
                spaces = false;
            }
            first = false;
        }
        self.out.push('"');
    }

    fn escaped(&mut self, letter: char) {
        self.out.push('\\');
        let short = match letter {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' | '\\' => letter,
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(letter);
                let _ = match code {
                    0..=0xff => write!(self.out, "x{code:02X}"),
                    0x100..=0xffff => write!(self.out, "u{code:04X}"),
                    _ => write!(self.out, "U{code:08X}"),
                };
                return;
            }
        };
        self.out.push(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        match text.strip_suffix('\n') {
            None => self.out.push('-'),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.out.push('+'),
            Some(_) => {}
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        for line in body.split('\n') {
            self.new_line(if line.is_empty() { 0 } else { indent });
            self.out.push_str(line);
        }
    }
}

/// How a text may be written.
struct Traits {
    plain: bool,
    single_quoted: bool,
    literal: bool,
}

impl Traits {
    fn of(text: &str) -> Traits {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let mut special = false;
        let mut breaks = false;
        let mut break_space = false;
        let mut space_break = false;
        let mut before = None;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let blank = |c: char| c == ' ' || c == '\t' || is_break(c);
            let ends = letters.peek().is_none_or(|next| blank(*next));
            let starts = before.is_none_or(blank);
            indicators |= match letter {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if before.is_none() =>
                {
                    true
                }
                '?' | '-' if before.is_none() => ends,
                ':' => ends,
                '#' => starts,
                _ => false,
            };
            special |= !is_printable(letter);
            breaks |= is_break(letter);
            break_space |= letter == ' ' && before.is_some_and(is_break);
            space_break |= is_break(letter) && before == Some(' ');
            before = Some(letter);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let edges = text.starts_with(edge) || text.ends_with(edge);
        Traits {
            plain: !indicators && !special && !breaks && !edges,
            single_quoted: !special && !break_space && !space_break && !breaks,
            literal: !special && !space_break && !text.ends_with(' '),
        }
    }
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What the original takes for printable: nothing beyond the basic plane, and no tab.
fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Go's shortest form: with an exponent from seven digits on, or below 0.0001.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{exponent:0>2}")
}

/// Sorts by [`natural`]: not by the standard library, which panics when it notices that what it is
/// told about three keys cannot be.
fn sorted(mut entries: Vec<(&str, Value)>) -> Vec<(&str, Value)> {
    if entries.len() < 2 {
        return entries;
    }
    let mut all = Vec::with_capacity(entries.len());
    let second = entries.split_off(entries.len() / 2);
    let mut first = sorted(entries).into_iter().peekable();
    let mut second = sorted(second).into_iter().peekable();
    while let Some((key, _)) = first.peek() {
        let before = |(other, _): &(&str, Value)| natural(other, key) == Ordering::Less;
        match second.next_if(before) {
            Some(entry) => all.push(entry),
            None => all.extend(first.next()),
        }
    }
    all.extend(second);
    all
}

/// The order of keys, as Go's library has it, which is none in corners: letters after what is none,
/// and numbers within them as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    let (Some(&first), Some(&second)) = (a.get(at), b.get(at)) else { return Ordering::Equal };
    match (first.is_alphabetic(), second.is_alphabetic()) {
        (true, true) => return first.cmp(&second),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero within a number counts, one in front of it does not.
    let shared = a.get(..at).unwrap_or(&[]);
    let digits = shared.iter().rev().take_while(|c| c.is_ascii_digit());
    let within = (first == '0' || second == '0') && digits.clone().any(|c| *c != '0');
    let number = |text: &[char]| {
        let digits: String =
            text.get(at..).unwrap_or(&[]).iter().take_while(|c| c.is_ascii_digit()).collect();
        let value: u64 = format!("{}{digits}", if within { "1" } else { "0" }).parse().unwrap_or(0);
        (value, digits.len())
    };
    number(&a).cmp(&number(&b)).then(first.cmp(&second))
}
