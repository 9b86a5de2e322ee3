//! `meta` of a service. The limits are Consul's: what it would refuse at registration, again and
//! again, is better said here.

use std::collections::BTreeMap;

use super::Object;
use crate::json5::Value;

const MOST: usize = 64;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 512;
/// Consul keeps these to itself.
const RESERVED: &str = "consul-";

pub(crate) fn meta(object: &mut Object<'_>) -> BTreeMap<String, String> {
    let mut meta = BTreeMap::new();
    let Some(field) = object.take("meta") else { return meta };
    let entries = field.entries();
    for entry in &entries {
        let key = entry.key;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(good) {
            let rule = "want letters, digits, _ and -, at most 128 in all";
            entry.refuse_key(&format!("{key:?} is not a key of metadata"), rule);
        } else if key.starts_with(RESERVED) {
            let rule = "want another one: Consul keeps those with consul- to itself";
            entry.refuse_key(&format!("{key:?} is a reserved key"), rule);
        }
        if entry.value.node.value == Value::Null {
            continue;
        }
        let Some(value) = entry.value.scalar() else { continue };
        if value.len() > LONGEST_VALUE {
            let fault = format!("is {} bytes long", value.len());
            entry.value.refuse(&fault, "want at most 512 bytes");
        }
        meta.insert(key.to_owned(), value);
    }
    if meta.len() > MOST {
        let fault = format!("has {} pairs", meta.len());
        field.refuse(&fault, "want at most 64, which is all that Consul takes");
    }
    meta
}
