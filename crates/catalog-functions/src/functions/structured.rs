//! JSON, YAML and TOML.

use gotemplate::{Map, Signature, Type, Value};

use super::{ANY, Entry, Returned, TEXT, strings};
use crate::{
    json::{self, Style},
    session::Session,
    toml, yaml,
};

pub(super) const TABLE: &[Entry] = &[
    ("parseJSON", Signature::fixed(&[TEXT]), |_, arguments| parse(arguments, json::parse)),
    ("parseYAML", Signature::fixed(&[TEXT]), |_, arguments| parse(arguments, yaml::parse)),
    ("toJSON", Signature::fixed(&[ANY]), |_, arguments| {
        to_json(arguments, Style { for_html: true, pretty: false })
    }),
    ("toJSONPretty", Signature::fixed(&[ANY]), |_, arguments| {
        to_json(arguments, Style { for_html: true, pretty: true })
    }),
    ("toUnescapedJSON", Signature::fixed(&[ANY]), |_, arguments| {
        to_json(arguments, Style { for_html: false, pretty: false })
    }),
    ("toUnescapedJSONPretty", Signature::fixed(&[ANY]), |_, arguments| {
        to_json(arguments, Style { for_html: false, pretty: true })
    }),
    ("toYAML", Signature::fixed(&[ANY]), to_yaml),
    ("toTOML", Signature::fixed(&[ANY]), to_toml),
];

/// No text is no data yet, which is no error.
fn parse(arguments: &[Value], parse: fn(&str) -> Result<Value, String>) -> Returned {
    let [text] = strings(arguments)?;
    if text.is_empty() {
        return Ok(Map::new(Type::Any).into());
    }
    parse(text)
}

fn to_json(arguments: &[Value], style: Style) -> Returned {
    let value = arguments.first().unwrap_or(&Value::Nil);
    json::write(value, style).map(Value::from)
}

fn to_yaml(_: &Session, arguments: &[Value]) -> Returned {
    let value = arguments.first().unwrap_or(&Value::Nil);
    Ok(yaml::write(value)?.trim().into())
}

fn to_toml(_: &Session, arguments: &[Value]) -> Returned {
    let value = arguments.first().unwrap_or(&Value::Nil);
    Ok(toml::write(value)?.trim().into())
}
