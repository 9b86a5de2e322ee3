//! Whether a server answers a request as it should.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use config::job::{HttpPlace, HttpProbe};
use http_client::{Address, Call, Client, Error, Repeat};
use hyper::{
    Method,
    header::{CONNECTION, HOST, HeaderName, HeaderValue},
};

use super::{authority, each, plain, unreachable};
use registry::tls;

/// Of an answer that is not as it should be so much is read, in bytes, to say what it says.
const WORDS: usize = 4 << 10;

/// And for so long it is waited for. Its status is known by then, and must not be lost for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// And of its first line so much is said, in characters.
const LINE: usize = 200;

/// A request and what should come back.
pub(super) struct Http {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    expect: Vec<RangeInclusive<u16>>,
    place: String,
}

impl Http {
    /// Reads certificates.
    pub(super) fn build(probe: &HttpProbe) -> Result<Http, String> {
        let (addresses, host, place) = match &probe.place {
            HttpPlace::Http { host, port } => {
                let address = |host| Address::Http { host, port: *port };
                (each(host, address), Some(authority(host, *port)), authority(host, *port))
            }
            HttpPlace::Https { host, port, tls: settings } => {
                // The certificate is the name's, whichever address is asked.
                let mut settings = tls(settings);
                settings.server_name.get_or_insert_with(|| host.clone());
                let address = |host| Address::Https { host, port: *port, tls: settings.clone() };
                (each(host, address), Some(authority(host, *port)), authority(host, *port))
            }
            HttpPlace::Unix(path) => {
                (vec![Address::Unix(path.clone())], None, path.display().to_string())
            }
        };
        let mut headers = vec![(CONNECTION, HeaderValue::from_static("close"))];
        let own_host =
            probe.headers.iter().any(|(name, _)| HOST.as_str().eq_ignore_ascii_case(name));
        if let Some(host) = host.filter(|_| !own_host) {
            let value = HeaderValue::from_str(&host)
                .map_err(|_| format!("http: {host:?} is no host name"))?;
            headers.push((HOST, value));
        }
        for (name, value) in &probe.headers {
            let header = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(value)) = header else {
                return Err(format!("headers: {name:?} or its value cannot be sent"));
            };
            headers.push((name, value));
        }
        Ok(Http {
            client: Client::build(&addresses, Vec::new()).map_err(|error| error.to_string())?,
            method: Method::try_from(probe.method.as_str())
                .map_err(|_| format!("method: {:?} is none", probe.method))?,
            path: probe.path.clone(),
            headers,
            expect: probe.expect.clone(),
            place,
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Asks, and looks at the status; nothing more is read of a good answer.
    pub(super) async fn find_out(&self, deadline: Duration) -> Result<String, String> {
        let call = Call {
            headers: &self.headers,
            repeat: Repeat::Forbidden,
            ..Call::new(self.method.clone(), &self.path, deadline)
        };
        let place = &self.place;
        let begun = Instant::now();
        let mut answer = self.client.probe(call).await.map_err(|error| match error {
            Error::Unreachable(why) => {
                format!("no connection to {place}: {}", unreachable(&why))
            }
            error => format!("{place}: {}", plain(&error.to_string())),
        })?;
        let status = answer.status.as_u16();
        if self.expect.iter().any(|range| range.contains(&status)) {
            return Ok(format!("status {status}"));
        }
        let mut text = Vec::new();
        let reading = async {
            while text.len() < WORDS
                && let Ok(Some(chunk)) = answer.chunk().await
            {
                text.extend_from_slice(&chunk);
            }
        };
        let patience = PATIENCE.min(deadline.saturating_sub(begun.elapsed()) / 2);
        let _ = tokio::time::timeout(patience, reading).await;
        let wanted: Vec<String> = self.expect.iter().map(describe).collect();
        let words = format!("status {status}, want {}", wanted.join(" or "));
        Err(match first_line(&text) {
            Some(line) => format!("{words}: {line}"),
            None => words,
        })
    }
}

fn describe(range: &RangeInclusive<u16>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

/// What a short answer says to people; nothing of a page or an object.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let is_markup = line.starts_with('<');
    let line: String = line.chars().filter(|c| !c.is_control()).take(LINE).collect();
    (!is_markup).then_some(line)
}
