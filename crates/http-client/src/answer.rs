//! What a server answers, from its bytes: the head, and where the body ends. Pure.

use httparse::Status;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

/// The longest head, in bytes.
const HEAD: usize = 64 << 10;
/// The most headers of an answer.
const HEADERS: usize = 100;
/// The longest line with a chunk's length, and the longest trailer, in bytes.
const LINE: usize = 8 << 10;

/// What precedes the body.
#[derive(Debug)]
pub(crate) struct Head {
    /// Whatever the server says.
    pub(crate) status: StatusCode,
    /// All of them.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Whether another request may follow on this connection.
    pub(crate) stays: bool,
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, and at which place in them we are.
    Chunked(Place),
    /// All until the connection ends.
    Rest,
    /// Nothing.
    Ended,
}

/// A place in a body of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the line with a chunk's length.
    Size,
    /// So many bytes before a chunk's end.
    Data(u64),
    /// Before the line's end behind a chunk.
    Gap,
    /// In the trailer, of which so many bytes have been read.
    Trailer(usize),
}

/// Reads a head from the front of `held` and takes it off; `None`: there must be more bytes.
/// `method` is what was asked with, for it has a say in whether there is a body.
pub(crate) fn head(held: &mut Vec<u8>, method: &Method) -> Result<Option<Head>, String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(held) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if held.len() < HEAD => return Ok(None),
            Ok(Status::Partial) => return Err(format!("its head is longer than {HEAD} bytes")),
            // What a server of TLS says to whom it does not understand: an alert (21, then 3 and the
            // version).
            Err(_) if held.starts_with(&[21, 3]) => {
                return Err("its answer is no HTTP: it speaks TLS; is it https?".to_owned());
            }
            Err(error) => return Err(format!("its answer is no HTTP: {error}")),
        };
        let head = understand(&response, method)?;
        take(held, length);
        match head.status.as_u16() {
            101 => return Err("it wants to speak something else than HTTP".to_owned()),
            // Only news about the answer to come.
            100..=199 => {}
            _ => return Ok(Some(head)),
        }
    }
}

fn understand(response: &httparse::Response<'_, '_>, method: &Method) -> Result<Head, String> {
    let wrong = |what: &str| format!("its answer is no HTTP: {what}");
    let status = StatusCode::from_u16(response.code.unwrap_or_default());
    let status = status.map_err(|_| wrong("no status"))?;
    let mut headers = HeaderMap::new();
    for header in response.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(wrong("a bad header")) };
        headers.append(name, value);
    }
    let persistent = response.version == Some(1);
    let body = match status.as_u16() {
        _ if *method == Method::HEAD => Body::Ended,
        100..=199 | 204 | 304 => Body::Ended,
        _ if headers.contains_key(TRANSFER_ENCODING) => {
            let mut codings = words(&headers, &TRANSFER_ENCODING);
            match (codings.next().as_deref(), codings.next()) {
                (Some("chunked"), None) if persistent => Body::Chunked(Place::Size),
                _ => return Err(wrong("its transfer-encoding is not understood")),
            }
        }
        _ => match length(&headers).ok_or_else(|| wrong("a bad content-length"))? {
            Some(0) => Body::Ended,
            Some(length) => Body::Length(length),
            None => Body::Rest,
        },
    };
    let says = |word| words(&headers, &CONNECTION).any(|said| said == word);
    let stays = if persistent { !says("close") } else { says("keep-alive") };
    // Two words about the length: what follows the body cannot be trusted.
    let doubtful = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
    Ok(Head { status, stays: stays && body != Body::Rest && !doubtful, headers, body })
}

/// A header's values, in lower case, one by one.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + 'a {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
        .filter(|word| !word.is_empty())
}

/// The length that the headers state, `Some(None)` if they state none, and `None` if it is no
/// number, or several that differ.
fn length(headers: &HeaderMap) -> Option<Option<u64>> {
    let mut stated = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let digits = value.to_str().ok()?;
        for digits in digits.split(',').map(str::trim) {
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let length = digits.parse().ok()?;
            if stated.is_some_and(|stated| stated != length) {
                return None;
            }
            stated = Some(length);
        }
    }
    Some(stated)
}

impl Body {
    /// Takes data of the body from the front of `held`; `None`: there must be more bytes, or the
    /// body has ended.
    pub(crate) fn data(&mut self, held: &mut Vec<u8>) -> Result<Option<Bytes>, String> {
        loop {
            match self {
                Body::Ended => return Ok(None),
                _ if held.is_empty() => return Ok(None),
                Body::Rest => return Ok(Some(take(held, usize::MAX))),
                Body::Length(left) => {
                    let data = take(held, usize::try_from(*left).unwrap_or(usize::MAX));
                    *left = left.saturating_sub(data.len() as u64);
                    if *left == 0 {
                        *self = Body::Ended;
                    }
                    return Ok(Some(data));
                }
                Body::Chunked(Place::Data(left)) => {
                    let data = take(held, usize::try_from(*left).unwrap_or(usize::MAX));
                    *left = left.saturating_sub(data.len() as u64);
                    if *left == 0 {
                        *self = Body::Chunked(Place::Gap);
                    }
                    return Ok(Some(data));
                }
                Body::Chunked(place) => match step(*place, held)? {
                    Some(next) => *self = next,
                    None => return Ok(None),
                },
            }
        }
    }

    /// The connection has ended: whether that is the body's end, too.
    pub(crate) fn end(&mut self) -> bool {
        if *self == Body::Rest {
            *self = Body::Ended;
        }
        *self == Body::Ended
    }
}

/// Reads what is between the data of chunks; `None`: there must be more bytes.
fn step(place: Place, held: &mut Vec<u8>) -> Result<Option<Body>, String> {
    match place {
        Place::Size => match httparse::parse_chunk_size(held) {
            Ok(Status::Complete((length, size))) => {
                take(held, length);
                let place = if size == 0 { Place::Trailer(0) } else { Place::Data(size) };
                Ok(Some(Body::Chunked(place)))
            }
            Ok(Status::Partial) if held.len() < LINE => Ok(None),
            _ => Err("a chunk of its answer has a bad length".to_owned()),
        },
        Place::Gap => match held.as_slice() {
            [b'\r', b'\n', ..] => {
                take(held, 2);
                Ok(Some(Body::Chunked(Place::Size)))
            }
            [] | [b'\r'] => Ok(None),
            _ => Err("a chunk of its answer does not end where it should".to_owned()),
        },
        Place::Trailer(before) => {
            let Some(end) = held.iter().position(|byte| *byte == b'\n') else {
                let short = before + held.len() < LINE;
                return if short { Ok(None) } else { Err("its trailer is too long".to_owned()) };
            };
            let line = take(held, end + 1);
            match before + line.len() {
                _ if matches!(&*line, b"\n" | b"\r\n") => Ok(Some(Body::Ended)),
                read if read < LINE => Ok(Some(Body::Chunked(Place::Trailer(read)))),
                _ => Err("its trailer is too long".to_owned()),
            }
        }
        Place::Data(_) => Ok(None),
    }
}

/// The first `count` bytes, or all. An empty rest keeps no memory.
fn take(held: &mut Vec<u8>, count: usize) -> Bytes {
    if count >= held.len() {
        return std::mem::take(held).into();
    }
    held.drain(..count).collect()
}

#[cfg(test)]
mod tests;
