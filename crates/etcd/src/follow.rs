//! Reading keys, at once or when something has changed.

use std::time::Duration;

use catalog::{Error, Index};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::gateway::{Gateway, Opened};
use crate::wire::{self, Kv, Span, number, revision, text};

/// A message longer than this tells of a change, whatever else it says.
const LONGEST_LINE: usize = 1 << 20;

/// Keys and the state of the store that they are of.
pub(crate) struct Found {
    pub(crate) kvs: Vec<Kv>,
    pub(crate) index: Index,
    /// Who says so.
    pub(crate) member: String,
}

impl Gateway {
    /// What is there, once something newer than `after` may be, but not later than `wait`.
    pub(crate) async fn follow(
        &self,
        span: &Span,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<Found, Error> {
        if let Some(after) = after {
            self.changed(span, after, wait).await?;
        }
        self.read(span, self.until()).await
    }

    /// What is there now, with a quorum's word for it.
    pub(crate) async fn read(&self, span: &Span, until: Instant) -> Result<Found, Error> {
        let answer = self.call("/v3/kv/range", format!("{{{}}}", span.fields()), until).await?;
        let index = Index(u64::try_from(revision(&answer)).unwrap_or_default());
        let member = wire::member(&answer).to_owned();
        Ok(Found { kvs: wire::kvs(&answer)?, index, member })
    }

    /// Waits until a fresh read makes sense.
    async fn changed(&self, span: &Span, after: Index, wait: Duration) -> Result<(), Error> {
        let over = Instant::now() + wait;
        let body = format!(
            r#"{{"create_request":{{{},"start_revision":"{}"}}}}"#,
            span.fields(),
            after.0.saturating_add(1)
        );
        let mut watch = self.open("/v3/watch", body, self.until()).await?;
        let mut held = Vec::new();
        while held.len() < LONGEST_LINE {
            let Ok(chunk) = timeout_at(over, watch.chunk()).await else { return Ok(()) };
            let chunk = chunk?;
            let ended = chunk.is_none();
            // The last line, an error, may lack its end.
            held.extend_from_slice(chunk.as_deref().unwrap_or(b"\n"));
            while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                if !line.trim_ascii().is_empty() && is_news(&watch, &line, after)? {
                    return Ok(());
                }
            }
            if ended {
                return Err(Error::Interrupted("the member has ended the watch".to_owned()));
            }
        }
        Ok(())
    }
}

/// Whether a message of a watch is a reason to read again.
fn is_news(watch: &Opened<'_>, line: &[u8], after: Index) -> Result<bool, Error> {
    let message = watch.line(line)?;
    let is = |field: &str| message.get(field).and_then(Value::as_bool).unwrap_or_default();
    if is("canceled") {
        // What came after `after` is forgotten: whatever it was, the present is known.
        if number(&message, "compact_revision") > 0 {
            return Ok(true);
        }
        return Err(watch.canceled(text(&message, "cancel_reason")));
    }
    // A store that has not come as far as that, or not yet, would be silent about what is new
    // there. (A read waits until its member is up to date.)
    let behind = is("created") && u64::try_from(revision(&message)).is_ok_and(|at| at < after.0);
    Ok(behind || message.get("events").is_some())
}
