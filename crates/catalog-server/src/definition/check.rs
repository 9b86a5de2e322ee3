//! Checks as clients send them, validated.

use std::time::Duration;

use crate::fields::{Fields, Malformed};
use crate::http::Refusal;
use crate::store::Status;

/// A check that the agent runs or waits for.
#[derive(Debug)]
pub(crate) struct CheckDefinition {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) notes: String,
    /// Its state until the first result.
    pub(crate) status: Status,
    /// Empty: the node's.
    pub(crate) service_id: String,
    pub(crate) probe: Probe,
    /// How long its service may be critical before it is removed; zero is for ever.
    pub(crate) deregister_after: Duration,
    /// How many results in a row it takes to become passing, and critical; at least 1.
    pub(crate) thresholds: (u32, u32),
    /// All of it as it was sent, in JSON.
    pub(crate) source: String,
}

/// Where the state of a check comes from.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// A client says so, at least this often.
    Ttl(Duration),
    /// A request is answered with a good status.
    Http(HttpProbe, Pace),
    /// A connection to `host:port` is accepted.
    Tcp(String, Pace),
    /// A server says by `grpc.health.v1` that it, or one of its services, serves.
    Grpc(GrpcProbe, Pace),
    /// A program ends with 0; with 1 it warns.
    Script(Vec<String>, Pace),
}

/// Whom a gRPC check asks.
#[derive(Debug, Clone)]
pub(crate) struct GrpcProbe {
    /// As the client wrote it: `host:port` or `host:port/service`.
    pub(crate) target: String,
    /// `host:port`
    pub(crate) address: String,
    /// Empty: the server as a whole.
    pub(crate) service: String,
}

/// Whether this agent runs the programs that clients name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptChecks {
    /// Who can reach the catalog must not run programs on its machine by that.
    Refused,
    /// Nobody can reach it who must not.
    Run,
}

/// The request of an HTTP check.
#[derive(Debug, Clone)]
pub(crate) struct HttpProbe {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) verify: Verify,
}

/// Whether an `https` server must prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    Certificate,
    Nothing,
}

/// How often a check is made, how long it may take, and how much of its output is kept, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) output: usize,
}

/// How much of a check's output is kept unless it asks for less, in bytes.
const OUTPUT: usize = 4096;

impl Probe {
    /// As queries show it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Ttl(_) => "ttl",
            Self::Http(..) => "http",
            Self::Tcp(..) => "tcp",
            Self::Grpc(..) => "grpc",
            Self::Script(..) => "script",
        }
    }
}

impl CheckDefinition {
    /// From the body of `/v1/agent/check/register`.
    pub(crate) fn parse(body: &[u8], scripts: ScriptChecks) -> Result<Self, Refusal> {
        let mut check = Self::read(Fields::parse(body)?, "Bad check status", scripts)?;
        if check.name.is_empty() {
            return Err(Refusal::bad("Missing check name"));
        }
        if check.id.is_empty() {
            check.id.clone_from(&check.name);
        }
        Ok(check)
    }

    /// From the fields of a check, some of which may be missing for the caller to fill in.
    pub(crate) fn read(
        mut fields: Fields,
        bad_status: &str,
        scripts: ScriptChecks,
    ) -> Result<Self, Refusal> {
        let source = fields.source();
        let (check_id, id) = (fields.text("CheckID")?, fields.text("ID")?);
        let id = if check_id.is_empty() { id } else { check_id };
        let name = fields.text("Name")?;
        let notes = fields.text("Notes")?;
        let service_id = fields.text("ServiceID")?;
        let status = fields.text("Status")?;
        let deregister_after = fields.duration("DeregisterCriticalServiceAfter")?;
        let thresholds =
            (fields.int("SuccessBeforePassing")?, fields.int("FailuresBeforeCritical")?);
        let probe = Self::probe(&mut fields, scripts)?;
        fields.finish()?;
        let status = match status.as_str() {
            "" => Status::Critical,
            text => Status::parse(text).ok_or_else(|| Refusal::bad(bad_status))?,
        };
        let threshold = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
        Ok(Self {
            id,
            name,
            notes,
            status,
            service_id,
            probe,
            deregister_after,
            thresholds: (threshold(thresholds.0), threshold(thresholds.1)),
            source,
        })
    }

    fn probe(fields: &mut Fields, scripts: ScriptChecks) -> Result<Probe, Refusal> {
        let ttl = fields.duration("TTL")?;
        let interval = fields.duration("Interval")?;
        let timeout = fields.duration("Timeout")?;
        let output = fields.int("OutputMaxSize")?.and_then(|size| usize::try_from(size).ok());
        let verify = match fields.flag("TLSSkipVerify")? {
            true => Verify::Nothing,
            false => Verify::Certificate,
        };
        let http = HttpProbe {
            url: fields.text("HTTP")?,
            method: fields.text("Method")?,
            headers: headers(fields)?,
            body: fields.text("Body")?,
            verify,
        };
        let (tcp, grpc) = (fields.text("TCP")?, fields.text("GRPC")?);
        let (args, old_args) = (fields.texts("Args")?, fields.texts("ScriptArgs")?);
        let args = if args.is_empty() { old_args } else { args };
        let grpc_tls = fields.flag("GRPCUseTLS")?;
        let elsewhere =
            ["DockerContainerID", "AliasService", "AliasNode"].map(|name| fields.text(name));
        let mut missing = false;
        for field in elsewhere {
            missing |= !field?.is_empty();
        }
        fields.ignore(&["Shell", "Token"]);

        let timed = !(http.url.is_empty() && tcp.is_empty() && grpc.is_empty() && args.is_empty());
        let invalid = |text: &str| Err(Refusal::bad(&format!("Invalid check: {text}")));
        if !interval.is_zero() && !ttl.is_zero() {
            return invalid("Interval and TTL cannot both be specified");
        }
        if missing {
            return invalid("the development catalog makes no Docker and alias checks");
        }
        if grpc_tls {
            return invalid("the development catalog makes gRPC checks without TLS only");
        }
        if !args.is_empty() && scripts == ScriptChecks::Refused {
            return Err(Refusal::internal(
                "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
            ));
        }
        if timed && interval.is_zero() {
            return invalid("Interval must be > 0 for Script, HTTP, or TCP checks");
        }
        if !timed && ttl.is_zero() {
            return invalid("TTL must be > 0 for TTL checks");
        }
        let default = if args.is_empty() { 10 } else { 30 };
        let timeout = if timeout.is_zero() { Duration::from_secs(default) } else { timeout };
        let output = output.filter(|size| *size > 0).unwrap_or(OUTPUT).min(OUTPUT);
        let pace = Pace { interval, timeout, output };
        // If there are several, the order is Consul's.
        Ok(if !ttl.is_zero() {
            Probe::Ttl(ttl)
        } else if !http.url.is_empty() {
            Probe::Http(http, pace)
        } else if !tcp.is_empty() {
            Probe::Tcp(tcp, pace)
        } else if !grpc.is_empty() {
            let (address, service) = grpc.split_once('/').unwrap_or((&grpc, ""));
            let (address, service) = (address.to_owned(), service.to_owned());
            Probe::Grpc(GrpcProbe { target: grpc, address, service }, pace)
        } else {
            Probe::Script(args, pace)
        })
    }
}

/// `{"Name": ["value", …]}`
fn headers(fields: &mut Fields) -> Result<Vec<(String, String)>, Malformed> {
    let mut headers = Vec::new();
    for (name, values) in fields.map("Header")? {
        let mut list = Fields::from(serde_json::Map::from_iter([("Header".to_owned(), values)]));
        headers.extend(list.texts("Header")?.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(headers)
}

/// The body of `/v1/agent/check/update/ID`: state and output.
pub(crate) fn update(body: &[u8]) -> Result<(Status, String), Refusal> {
    let mut fields = Fields::parse(body)?;
    let (status, output) = (fields.text("Status")?, fields.text("Output")?);
    fields.finish()?;
    let known = Status::parse(&status);
    Ok((known.ok_or_else(|| Refusal::bad(&format!("Invalid check status: '{status}'")))?, output))
}
