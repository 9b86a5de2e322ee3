//! Keys and their values.

use std::{rc::Rc, sync::Arc};

use catalog::{Finding, Pair};
use gotemplate::{Object, Signature, Type, Value};

use super::{list, text};

/// The type of a key with its value.
pub(crate) const KEY_PAIR: &Type = &Type::Named("*dep.KeyPair");
const KEY_PAIRS: &str = "[]*dep.KeyPair";

/// What `keyExistsGet` gives, if there is such a key.
pub(crate) fn key(finding: &Arc<Finding>) -> Option<Value> {
    let pair = pair(finding, 0)?;
    Some(Value::object(KeyPair {
        finding: finding.clone(),
        index: 0,
        key: pair.key.as_str().into(),
    }))
}

/// What `keyExistsGet` gives if there is none.
pub(crate) fn absent_key(key: &str) -> Value {
    let finding = Arc::new(Finding::Keys(Vec::new()));
    Value::object(KeyPair { finding, index: 0, key: key.into() })
}

/// What `ls` gives: the keys right below a prefix.
pub(crate) fn level(finding: &Arc<Finding>, prefix: &str) -> Value {
    below(finding, prefix, |key| !key.is_empty() && !key.contains('/'))
}

/// What `tree` gives: all keys below a prefix, without what stands for folders.
pub(crate) fn tree(finding: &Arc<Finding>, prefix: &str) -> Value {
    below(finding, prefix, |key| !key.is_empty() && !key.ends_with('/'))
}

fn below(finding: &Arc<Finding>, prefix: &str, wanted: fn(&str) -> bool) -> Value {
    let Finding::Keys(pairs) = &**finding else { return list(KEY_PAIRS, KEY_PAIR, Vec::new()) };
    let object = |(index, pair): (usize, &Pair)| {
        let key = pair.key.strip_prefix(prefix).unwrap_or(&pair.key).trim_start_matches('/');
        let finding = finding.clone();
        wanted(key).then(|| Value::object(KeyPair { finding, index, key: key.into() }))
    };
    list(KEY_PAIRS, KEY_PAIR, pairs.iter().enumerate().filter_map(object).collect())
}

/// The same key under another name, for `byKey`.
pub(crate) fn key_below(pair: &Rc<dyn Object>, key: &str) -> Value {
    Value::object(Renamed { pair: pair.clone(), key: key.into() })
}

fn pair(finding: &Finding, index: usize) -> Option<&Pair> {
    match finding {
        Finding::Keys(pairs) => pairs.get(index),
        _ => None,
    }
}

struct KeyPair {
    finding: Arc<Finding>,
    index: usize,
    /// Without the prefix that was asked for.
    key: Rc<str>,
}

impl Object for KeyPair {
    fn type_name(&self) -> &str {
        "*dep.KeyPair"
    }

    fn field_names(&self) -> &[&str] {
        &[
            "Path",
            "Key",
            "Value",
            "Exists",
            "CreateIndex",
            "ModifyIndex",
            "LockIndex",
            "Flags",
            "Session",
        ]
    }

    fn field(&self, name: &str) -> Option<Value> {
        let pair = pair(&self.finding, self.index);
        let number = |number: fn(&Pair) -> u64| pair.map_or(0, number).into();
        Some(match name {
            "Path" => text(pair.map_or(&self.key, |pair| &pair.key)),
            "Key" => Value::from(self.key.clone()),
            "Value" => text(pair.map_or("", |pair| std::str::from_utf8(&pair.value).unwrap_or(""))),
            "Exists" => pair.is_some().into(),
            "CreateIndex" => number(|pair| pair.create_index),
            "ModifyIndex" => number(|pair| pair.modify_index),
            "LockIndex" => number(|pair| pair.lock_index),
            "Flags" => number(|pair| pair.flags),
            "Session" => text(pair.map_or("", |pair| &pair.session)),
            _ => return None,
        })
    }

    // A value that is no text is a method that fails.
    fn method(&self, name: &str) -> Option<Signature> {
        let pair = pair(&self.finding, self.index)?;
        let wrong = name == "Value" && std::str::from_utf8(&pair.value).is_err();
        wrong.then_some(Signature::fixed(&[]))
    }

    fn call_method(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        let key = pair(&self.finding, self.index).map_or("", |pair| &pair.key);
        Err(not_text(key))
    }
}

/// What is wrong with a value that no template can hold.
pub(crate) fn not_text(key: &str) -> String {
    format!("the value of the key {key:?} is not UTF-8 text")
}

struct Renamed {
    pair: Rc<dyn Object>,
    key: Rc<str>,
}

impl Object for Renamed {
    fn type_name(&self) -> &str {
        "*dep.KeyPair"
    }

    fn field_names(&self) -> &[&str] {
        self.pair.field_names()
    }

    fn field(&self, name: &str) -> Option<Value> {
        if name == "Key" { Some(Value::from(self.key.clone())) } else { self.pair.field(name) }
    }

    fn method(&self, name: &str) -> Option<Signature> {
        self.pair.method(name)
    }

    fn call_method(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        self.pair.call_method(name, arguments)
    }
}
