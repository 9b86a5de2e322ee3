//! One request and its answer over HTTP/2 (RFC 9113), on a connection of its own.
//!
//! gRPC wants HTTP/2 and its trailers; a check of a service's health is one request of some bytes
//! and an answer of some bytes. A library for all of HTTP/2 is 165 kB of program; this is what one
//! stream needs. What is not needed (pushes, priorities, other streams) is refused or passed over.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connection::Duplex;
use crate::hpack::{self, Header};

/// Longest frame that a peer may send unless it is told otherwise, in bytes.
const FRAME: usize = 16 << 10;
/// Longest body that is read, and the most that headers may come to, in bytes.
const LIMIT: usize = 32 << 10;
/// The most frames of an answer: one that never ends is none.
const FRAMES: usize = 1_000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a header counts besides its name and value (6.5.2): a name by number is a single byte, and
/// no small thing when it is unpacked.
const HEADER: usize = 32;
/// No table of headers (1), no pushes (2), headers of 32 KiB at most (6).
const SETTINGS: [u8; 18] = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 6, 0, 0, 0x80, 0];
/// The one stream.
const STREAM: u32 = 1;

// Types of frames (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SET: u8 = 4;
const PUSH: u8 = 5;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;

// Flags of frames.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// What came back: all headers, those behind the body too, and the body.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// Sends a request with these headers (first those that begin with a colon), and reads the whole
/// answer. The caller sees to the deadline, and closes.
pub(crate) async fn call(
    stream: &mut dyn Duplex,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let mut block = Vec::new();
    for (name, value) in headers {
        hpack::write(&mut block, name, value);
    }
    if block.len() > FRAME || body.len() > FRAME {
        return Err("the request is too long".to_owned());
    }
    let mut bytes = PREFACE.to_vec();
    write(&mut bytes, SET, 0, 0, &SETTINGS);
    write(&mut bytes, HEADERS, END_HEADERS, STREAM, &block);
    write(&mut bytes, DATA, END_STREAM, STREAM, body);
    send(stream, &bytes).await?;

    let mut answer = Answer::default();
    // What headers may still come to, all blocks together.
    let mut left = LIMIT;
    for _ in 0..FRAMES {
        let frame = read(stream).await?;
        match frame.kind {
            SET if frame.flags & ACK == 0 => {
                let mut bytes = Vec::new();
                write(&mut bytes, SET, ACK, 0, &[]);
                send(stream, &bytes).await?;
            }
            PING if frame.flags & ACK == 0 => {
                let mut bytes = Vec::new();
                write(&mut bytes, PING, ACK, 0, &frame.payload);
                send(stream, &bytes).await?;
            }
            GO_AWAY => {
                let last = number(&frame.payload).unwrap_or(0);
                if last & 0x7fff_ffff < STREAM {
                    return Err(refusal("goes away", frame.payload.get(4..)));
                }
            }
            RESET if frame.stream == STREAM => {
                return Err(refusal("breaks off", Some(&frame.payload)));
            }
            PUSH => return Err("the server pushes, which it was asked not to".to_owned()),
            DATA if frame.stream == STREAM => {
                let data = content(&frame).ok_or("the server sends a bad frame")?;
                if answer.body.len() + data.len() > LIMIT {
                    return Err(format!("the answer is longer than {LIMIT} bytes"));
                }
                answer.body.extend_from_slice(data);
                if frame.flags & END_STREAM != 0 {
                    return Ok(answer);
                }
            }
            HEADERS if frame.stream == STREAM => {
                let ends = frame.flags & END_STREAM != 0;
                let block = headers_block(stream, &frame, left).await?;
                let headers =
                    hpack::read(&block).ok_or("the server sends headers that are none")?;
                let size = |(name, value): &Header| name.len() + value.len() + HEADER;
                // A block that unpacks to nothing has been work all the same.
                let size = headers.iter().map(size).sum::<usize>().max(block.len());
                left = left.checked_sub(size).ok_or_else(long)?;
                answer.headers.extend(headers);
                if ends {
                    return Ok(answer);
                }
            }
            // Windows are large enough; others are not ours.
            _ => {}
        }
    }
    Err("the answer does not end".to_owned())
}

/// The whole block that begins with `frame`.
async fn headers_block(
    stream: &mut dyn Duplex,
    frame: &Frame,
    limit: usize,
) -> Result<Vec<u8>, String> {
    let mut block = content(frame).ok_or("the server sends a bad frame")?.to_vec();
    let mut flags = frame.flags;
    while flags & END_HEADERS == 0 {
        let more = read(stream).await?;
        if (more.kind, more.stream) != (CONTINUATION, STREAM) {
            return Err("the server does not end its headers".to_owned());
        }
        if block.len() + more.payload.len() > limit || more.payload.is_empty() {
            return Err(long());
        }
        block.extend_from_slice(&more.payload);
        flags = more.flags;
    }
    Ok(block)
}

fn long() -> String {
    format!("the headers are longer than {LIMIT} bytes")
}

/// What a frame holds besides filling and priorities.
fn content(frame: &Frame) -> Option<&[u8]> {
    let mut payload = frame.payload.as_slice();
    if frame.flags & PADDED != 0 {
        let (filling, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(usize::from(*filling))?)?;
    }
    if frame.kind == HEADERS && frame.flags & PRIORITY != 0 {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

fn write(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    bytes.extend_from_slice(&length);
    // Three bytes of them.
    bytes.remove(bytes.len() - length.len());
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

async fn send(stream: &mut dyn Duplex, bytes: &[u8]) -> Result<(), String> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| error.to_string())
}

async fn read(stream: &mut dyn Duplex) -> Result<Frame, String> {
    let read = async {
        let [a, b, c, kind, flags] = {
            let mut head = [0; 5];
            stream.read_exact(&mut head).await?;
            head
        };
        let number = stream.read_u32().await? & 0x7fff_ffff;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let mut payload = vec![0; length.min(FRAME + 1)];
        if length <= FRAME {
            stream.read_exact(&mut payload).await?;
        }
        Ok::<_, io::Error>(Frame { kind, flags, stream: number, payload })
    };
    match read.await {
        Ok(frame) if frame.payload.len() <= FRAME => Ok(frame),
        Ok(_) => Err("what answers does not speak HTTP/2".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err("the connection was closed before the answer".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The first four bytes.
fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn refusal(does: &str, code: Option<&[u8]>) -> String {
    let code = code.and_then(number).unwrap_or(0);
    format!("the server {does} (HTTP/2 code {code})")
}
