//! Digests, in hexadecimal.

use std::fmt::Write as _;

use gotemplate::{Signature, Value};
use md5::{Digest, Md5};
use ring::{digest, hmac};

use super::{Entry, Returned, TEXT, strings};
use crate::session::Session;

pub(super) const TABLE: &[Entry] = &[
    ("md5sum", Signature::fixed(&[TEXT]), md5sum),
    ("sha256Hex", Signature::fixed(&[TEXT]), sha256_hex),
    ("hmacSHA256Hex", Signature::fixed(&[TEXT, TEXT]), hmac_sha256_hex),
];

fn hex(bytes: &[u8]) -> Value {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

fn md5sum(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    Ok(hex(&Md5::digest(text)))
}

fn sha256_hex(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    Ok(hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()))
}

/// `{{ hmacSHA256Hex "message" "key" }}`
fn hmac_sha256_hex(_: &Session, arguments: &[Value]) -> Returned {
    let [message, key] = strings(arguments)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    Ok(hex(hmac::sign(&key, message.as_bytes()).as_ref()))
}
