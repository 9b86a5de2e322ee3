//! Functions on text.

use gotemplate::{Map, Signature, Type, Value};

use super::{ANY, Entry, Returned, TEXT, TEXTS, check_count, check_length, strings};
use crate::session::Session;

const ONE: Signature = Signature::fixed(&[TEXT]);
const TWO: Signature = Signature::fixed(&[TEXT, TEXT]);
const THREE: Signature = Signature::fixed(&[TEXT, TEXT, TEXT]);

pub(super) const TABLE: &[Entry] = &[
    ("toLower", ONE, |_, arguments| letters(arguments, char::to_lowercase)),
    ("toUpper", ONE, |_, arguments| letters(arguments, char::to_uppercase)),
    ("toTitle", ONE, to_title),
    ("trim", TWO, |_, arguments| trimmed(arguments, |text, set| text.trim_matches(in_set(set)))),
    ("trimLeft", TWO, |_, arguments| {
        trimmed(arguments, |text, set| text.trim_start_matches(in_set(set)))
    }),
    ("trimRight", TWO, |_, arguments| {
        trimmed(arguments, |text, set| text.trim_end_matches(in_set(set)))
    }),
    ("trimPrefix", TWO, |_, arguments| {
        trimmed(arguments, |text, prefix| text.strip_prefix(prefix).unwrap_or(text))
    }),
    ("trimSuffix", TWO, |_, arguments| {
        trimmed(arguments, |text, suffix| text.strip_suffix(suffix).unwrap_or(text))
    }),
    ("trimSpace", ONE, |_, arguments| {
        let [text] = strings(arguments)?;
        Ok(text.trim().into())
    }),
    ("replaceAll", THREE, replace_all),
    ("split", TWO, split),
    ("join", Signature::fixed(&[TEXT, TEXTS]), join),
    ("splitToMap", THREE, split_to_map),
    ("indent", Signature::fixed(&[Type::Int, TEXT]), indent),
    ("base64Encode", ONE, |_, arguments| encode(arguments, str::to_owned)),
    ("base64URLEncode", ONE, |_, arguments| {
        encode(arguments, |text| text.replace('+', "-").replace('/', "_"))
    }),
    ("base64Decode", ONE, |_, arguments| decode(arguments, false)),
    ("base64URLDecode", ONE, |_, arguments| decode(arguments, true)),
];

/// Letter by letter, as Go does it: one that would become several stays.
fn letters<L: Iterator<Item = char>>(arguments: &[Value], change: fn(char) -> L) -> Returned {
    let [text] = strings(arguments)?;
    Ok(text.chars().map(|letter| changed(letter, change)).collect::<String>().into())
}

fn changed<L: Iterator<Item = char>>(letter: char, change: fn(char) -> L) -> char {
    // The one letter with a dot above that becomes two, of which Go keeps the first.
    if letter == 'İ' && change(letter).next() == Some('i') {
        return 'i';
    }
    let mut letters = change(letter);
    match (letters.next(), letters.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

/// The first letter of each word. What divides words is white space and ASCII punctuation.
fn to_title(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    let mut before = ' ';
    let title = |letter: char| {
        let divides = |c: char| match c {
            '_' => false,
            c if c.is_ascii() => !c.is_ascii_alphanumeric(),
            c => c.is_whitespace(),
        };
        let first = divides(before);
        before = letter;
        if first { changed(letter, char::to_uppercase) } else { letter }
    };
    Ok(text.chars().map(title).collect::<String>().into())
}

/// What is cut off comes first, so that the text can be piped.
fn trimmed(arguments: &[Value], trim: for<'t> fn(&'t str, &str) -> &'t str) -> Returned {
    let [cut, text] = strings(arguments)?;
    Ok(trim(text, cut).into())
}

fn in_set(set: &str) -> impl Fn(char) -> bool {
    move |letter| set.contains(letter)
}

/// `{{ .Name | replaceAll "from" "to" }}`
fn replace_all(_: &Session, arguments: &[Value]) -> Returned {
    let [from, to, text] = strings(arguments)?;
    let added = text.matches(from).count().saturating_mul(to.len());
    check_length(text.len().saturating_add(added))?;
    Ok(text.replace(from, to).into())
}

/// `{{ .List | split "," }}`; nothing is an empty list.
fn split(_: &Session, arguments: &[Value]) -> Returned {
    let [separator, text] = strings(arguments)?;
    parts(text.trim(), separator).map(Value::from)
}

fn parts(text: &str, separator: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if separator.is_empty() {
        check_count(text.chars().count())?;
        return Ok(text.chars().map(String::from).collect());
    }
    check_count(text.matches(separator).count())?;
    Ok(text.split(separator).map(str::to_owned).collect())
}

/// `{{ .Tags | join "," }}`
fn join(_: &Session, arguments: &[Value]) -> Returned {
    let [Value::String(separator), list] = arguments else {
        return Err("want a separator and a list".to_owned());
    };
    let list = list.as_list().ok_or("want a list to join")?;
    let items: Vec<&str> = list.items().iter().filter_map(Value::as_str).collect();
    let separators = items.len().saturating_mul(separator.len());
    check_length(items.iter().map(|item| item.len()).fold(separators, usize::saturating_add))?;
    Ok(items.join(separator).into())
}

/// `{{ splitToMap "," ":" "a:1,b:2" }}`; what has no value has an empty one.
fn split_to_map(_: &Session, arguments: &[Value]) -> Returned {
    let [between_items, within_items, text] = strings(arguments)?;
    let mut map = Map::new(ANY);
    for item in parts(text.trim(), between_items)? {
        let (key, value) = item.split_once(within_items).unwrap_or((&item, ""));
        map.insert(key, value);
    }
    Ok(map.into())
}

/// `{{ tree "config" | explode | toYAML | indent 4 }}`
fn indent(_: &Session, arguments: &[Value]) -> Returned {
    let [Value::Int(spaces), Value::String(text)] = arguments else {
        return Err("want a number of spaces and a text".to_owned());
    };
    let spaces = usize::try_from(*spaces)
        .map_err(|_| format!("want a number of spaces but got {spaces}"))?;
    let added = text.matches('\n').count().saturating_add(1).saturating_mul(spaces);
    check_length(text.len().saturating_add(added))?;
    let margin = " ".repeat(spaces);
    let mut indented = String::with_capacity(text.len() + added);
    for line in text.split_inclusive('\n') {
        indented.push_str(&margin);
        indented.push_str(line);
    }
    Ok(indented.into())
}

fn encode(arguments: &[Value], alphabet: fn(&str) -> String) -> Returned {
    let [text] = strings(arguments)?;
    Ok(alphabet(&catalog::base64::encode(text.as_bytes())).into())
}

fn decode(arguments: &[Value], url: bool) -> Returned {
    let [text] = strings(arguments)?;
    let wrong = |at| format!("illegal base64 data at input byte {at}");
    let plain = plain_base64(text.as_bytes(), url).map_err(wrong)?;
    let bytes = catalog::base64::decode(&plain).ok_or_else(|| wrong(text.len()))?;
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| "the decoded bytes are not UTF-8 text")?.into())
}

/// The text without line breaks, in the standard alphabet, or where Go stops reading it.
fn plain_base64(text: &[u8], url: bool) -> Result<String, usize> {
    let digits = |byte: u8| match byte {
        b'-' if url => Some('+'),
        b'_' if url => Some('/'),
        b'+' | b'/' => (!url).then_some(char::from(byte)),
        byte => byte.is_ascii_alphanumeric().then_some(char::from(byte)),
    };
    let mut bytes =
        text.iter().copied().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    let mut plain = String::with_capacity(text.len());
    while let Some((at, byte)) = bytes.next() {
        if let Some(digit) = digits(byte) {
            plain.push(digit);
            continue;
        }
        // Padding ends the text, and fills a group of four.
        let padding = match plain.len() % 4 {
            2 if byte == b'=' => match bytes.next() {
                Some((_, b'=')) => "==",
                Some((next, _)) => return Err(next - 1),
                None => return Err(text.len()),
            },
            3 if byte == b'=' => "=",
            _ => return Err(at),
        };
        plain.push_str(padding);
        return bytes.next().map_or(Ok(plain), |(more, _)| Err(more));
    }
    match plain.len() % 4 {
        0 => Ok(plain),
        rest => Err(text.len() - rest),
    }
}
