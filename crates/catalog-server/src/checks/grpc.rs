//! The question of `grpc.health.v1`: `Check(service) -> status`, one request over HTTP/2. The two
//! messages are so small that their encoding stands here.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use super::probe::connect;
use crate::definition::GrpcProbe;

/// No answer to this question is longer, in bytes.
const LONGEST: usize = 64 * 1024;
/// The status of a service that serves.
const SERVING: u8 = 1;

/// Ends well if the server says that it serves.
pub(super) async fn ask(server: &GrpcProbe, limit: Duration) -> Result<(), String> {
    let asked = timeout(limit, exchange(server, limit)).await;
    asked.map_err(|_| format!("no answer within {limit:?}"))?
}

async fn exchange(server: &GrpcProbe, limit: Duration) -> Result<(), String> {
    let stream = TokioIo::new(connect(&server.address, limit).await?);
    let handshake = http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
    let request = Request::post(format!("http://{}/grpc.health.v1.Health/Check", server.address))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(Bytes::from(question(&server.service))))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        judge(response).await
    };
    // The connection lives as long as the question.
    tokio::select! {
        answer = answer => answer,
        ended = connection => Err(match ended {
            Ok(()) => "the server closed the connection".to_owned(),
            Err(error) => error.to_string(),
        }),
    }
}

async fn judge(response: Response<Incoming>) -> Result<(), String> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(format!("no gRPC: HTTP {}", head.status));
    }
    let body = Limited::new(body, LONGEST).collect().await.map_err(|error| error.to_string())?;
    // An answer without a message has its status among the headers.
    let trailers = body.trailers().cloned().unwrap_or(head.headers);
    let text = |name: &str| {
        trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    match text("grpc-status").as_str() {
        "0" => {}
        code => {
            let message = text("grpc-message");
            return Err(format!("rpc error: code = {} desc = {message}", meaning(code)));
        }
    }
    match status(&body.to_bytes()) {
        Some(SERVING) => Ok(()),
        Some(_) => Err("gRPC application didn't report service healthy".to_owned()),
        None => Err("the answer is no message of grpc.health.v1".to_owned()),
    }
}

/// The codes that health checks meet, as gRPC's libraries call them.
fn meaning(code: &str) -> &str {
    match code {
        "5" => "NotFound",
        "12" => "Unimplemented",
        "14" => "Unavailable",
        "16" => "Unauthenticated",
        "" => "missing",
        other => other,
    }
}

/// `HealthCheckRequest { service = 1 }`, framed: not compressed, length, message.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// `HealthCheckResponse { status = 1 }`, framed. A status of 0 is not written.
fn status(framed: &[u8]) -> Option<u8> {
    let (&[0, a, b, c, d], message) = framed.split_first_chunk::<5>()? else { return None };
    if message.len() != u32::from_be_bytes([a, b, c, d]) as usize {
        return None;
    }
    match message {
        [] => Some(0),
        [0x08, status @ 0..=0x7f] => Some(*status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_protobuf_has_them() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(200))[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 1]);
        assert_eq!(status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(status(&[0, 0, 0, 0, 2, 8, 1]), Some(SERVING));
        for bad in [&[][..], &[0, 0, 0, 0, 2, 8], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 1, 9]] {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }
}
