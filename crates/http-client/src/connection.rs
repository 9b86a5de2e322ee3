//! One connection to a server.

use std::error::Error as _;
use std::fmt::Write as _;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use crate::endpoint;

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// The task that moves a connection's bytes; it ends with the connection, whatever the peer does.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(crate) async fn open(io: TokioIo<Box<dyn endpoint::Stream>>) -> Result<Self, String> {
        let (sender, driver) = handshake(io).await.map_err(chain)?;
        let driver = tokio::spawn(async {
            // Whoever waits for an answer gets the error.
            let _ = driver.await;
        });
        Ok(Connection { sender, _driver: Driver(driver.abort_handle()) })
    }

    /// Sends, and reads the head of the answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        self.sender.ready().await.map_err(chain)?;
        self.sender.send_request(request).await.map_err(chain)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// An error and what caused it; hyper's own messages leave out the causes.
pub(crate) fn chain(error: hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
