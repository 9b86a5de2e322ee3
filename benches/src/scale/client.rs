//! As little of an HTTP client as loading a catalog takes, so that the client is never what is
//! measured.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::catalog::PATIENCE;

/// A runtime for many connections.
pub(crate) fn runtime() -> Result<Runtime> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `X-Consul-Index`.
    pub(crate) index: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: catalog\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    /// Waits until an answer begins.
    pub(crate) async fn begun(&mut self, patience: Duration) -> Result<()> {
        if self.received.is_empty() {
            tokio::time::timeout(patience, self.more()).await.context("no answer in time")??;
        }
        Ok(())
    }

    /// The whole answer.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        tokio::time::timeout(PATIENCE, self.read()).await.context("no answer in time")?
    }

    /// Asks and expects 200.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.send(method, path, body).await?;
        let answer = self.answer().await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{method} {path}: {} {said}", answer.status);
        Ok(answer)
    }

    async fn more(&mut self) -> Result<()> {
        let count = self.stream.read_buf(&mut self.received).await?;
        ensure!(count > 0, "the connection was closed");
        Ok(())
    }

    async fn read(&mut self) -> Result<Answer> {
        let end = self.find(b"\r\n\r\n", 0).await?;
        let head = String::from_utf8_lossy(self.received.get(..end).unwrap_or_default());
        let head = head.to_ascii_lowercase();
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("no HTTP status")?;
        let index = field("x-consul-index:").and_then(|index| index.parse().ok());
        let start = end + 4;
        let end = if let Some(length) = field("content-length:") {
            start + length.parse::<usize>()?
        } else if field("transfer-encoding:").as_deref() == Some("chunked") {
            // The last chunk. Its mark cannot stand in JSON text, which holds no line breaks.
            self.find(b"\r\n0\r\n\r\n", start).await? + 7
        } else {
            bail!("an answer of unknown length");
        };
        while self.received.len() < end {
            self.more().await?;
        }
        let rest = self.received.split_off(end);
        let whole = std::mem::replace(&mut self.received, rest);
        Ok(Answer { status, index, body: whole.get(start..).unwrap_or_default().to_vec() })
    }

    /// Where `mark` stands, at `from` or behind it.
    async fn find(&mut self, mark: &[u8], from: usize) -> Result<usize> {
        let mut from = from;
        loop {
            let rest = self.received.get(from..).unwrap_or_default();
            if let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
                return Ok(from + at);
            }
            from = from.max(self.received.len().saturating_sub(mark.len()));
            self.more().await?;
        }
    }
}

/// Runs `work` for every number below `count`, on that many connections at once.
pub(crate) async fn spread<F>(
    address: &str,
    connections: usize,
    count: usize,
    work: impl Fn(Connection, std::iter::StepBy<std::ops::Range<usize>>) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..connections {
        let connection = Connection::open(address).await?;
        tasks.spawn(work(connection, (first..count).step_by(connections)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
