//! The command line: Go's style of flags (`-http ADDR`), with two dashes as well.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use catalog_server::{Dns, Options, ScriptChecks};

const HELP: &str = "\
Serves Consul's HTTP API and DNS from memory, and a page at /ui/: a catalog for a laptop, a demo,
a test.

Usage: catalog-server [flags]

  -http ADDR:PORT          where to listen (127.0.0.1:8500); port 0 takes a free one
  -dns ADDR:PORT           where to answer DNS, over UDP and TCP (127.0.0.1:8600); \"off\": nowhere
  -state FILE              keep keys and registrations in it over restarts; without it, nowhere
  -node NAME               the name of the node (localhost)
  -datacenter NAME         the name of the datacenter (dc1)
  -min-deregister TIME     shortest DeregisterCriticalServiceAfter (1m)
  -min-interval TIME       shortest interval of checks other than TTL (1s)
  -min-session-ttl TIME    shortest TTL of a session (10s)
  -enable-script-checks    run the programs that clients name as checks, as this user
  -max-connections N       further connections are refused with 503 (4096)
  -max-blocked N           further blocking queries are refused with 429 (4096)
  -help                    this text
  -version                 the version

Once it listens it prints \"listening on http://ADDR:PORT\". TERM and INT stop it.
It asks nobody for a password: do not let strangers reach it.";

const DNS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Serve(Options),
    Print(String),
}

/// What is wrong with the command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Flag(#[from] lexopt::Error),
    #[error("-{flag} {value:?} is not {wanted}")]
    Value { flag: String, value: String, wanted: &'static str },
    #[error("unknown flag -{0}")]
    Unknown(String),
    #[error("unexpected argument {0:?}")]
    Argument(OsString),
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, Error> {
    let args: Vec<OsString> = parser.raw_args()?.map(two_dashes).collect();
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options { dns: Dns::IfFree(DNS), ..Options::default() };
    while let Some(arg) = parser.next()? {
        let flag = match arg {
            lexopt::Arg::Long(name) => name.to_owned(),
            lexopt::Arg::Short(name) => name.to_string(),
            lexopt::Arg::Value(value) => return Err(Error::Argument(value)),
        };
        match flag.as_str() {
            "help" | "h" => return Ok(Command::Print(HELP.into())),
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("catalog-server {version}")));
            }
            "enable-script-checks" => options.script_checks = ScriptChecks::Run,
            "http" | "dns" | "state" | "node" | "datacenter" | "min-deregister"
            | "min-interval" | "min-session-ttl" | "max-connections" | "max-blocked" => {
                let value = parser.value()?.to_string_lossy().into_owned();
                set(&mut options, &flag, value)?;
            }
            _ => return Err(Error::Unknown(flag)),
        }
    }
    Ok(Command::Serve(options))
}

/// `-http` is `--http`; a lone `-` and negative numbers stay.
fn two_dashes(arg: OsString) -> OsString {
    match arg.to_str().and_then(|text| text.strip_prefix('-')) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            format!("--{rest}").into()
        }
        _ => arg,
    }
}

fn set(options: &mut Options, flag: &str, value: String) -> Result<(), Error> {
    let wrong = |wanted| Error::Value { flag: flag.to_owned(), value: value.clone(), wanted };
    let time = || {
        catalog_server::parse_duration(&value)
            .filter(|time| !time.is_zero())
            .ok_or_else(|| wrong("a time such as 10s"))
    };
    let number = || {
        let number = value.parse::<usize>().ok().filter(|n| (1..=1_000_000).contains(n));
        number.ok_or_else(|| wrong("a number from 1 to 1000000"))
    };
    match flag {
        "http" => options.http = address(&value).ok_or_else(|| wrong("ADDR:PORT"))?,
        "dns" if ["", "off"].contains(&value.as_str()) => options.dns = Dns::Off,
        "dns" => options.dns = Dns::At(address(&value).ok_or_else(|| wrong("ADDR:PORT or off"))?),
        "state" if value.is_empty() => return Err(wrong("a file")),
        "state" => options.state = Some(value.into()),
        "min-deregister" => options.min_deregister = time()?,
        "min-interval" => options.min_interval = time()?,
        "min-session-ttl" => options.min_session_ttl = time()?,
        "max-connections" => options.max_connections = number()?,
        "max-blocked" => options.max_blocked = number()?,
        _ if value.is_empty() || value.contains(['/', ' ']) => return Err(wrong("a name")),
        "node" => options.node = value,
        _ => options.datacenter = value,
    }
    Ok(())
}

/// `:8500` listens everywhere, as in Go; of a name's addresses an IPv4 one is preferred, since
/// that is where clients look for `localhost`.
fn address(text: &str) -> Option<SocketAddr> {
    let text = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let found: Vec<SocketAddr> = text.to_socket_addrs().ok()?.collect();
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        match parse(lexopt::Parser::from_args(args)).unwrap() {
            Command::Serve(options) => options,
            Command::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn flags_with_one_dash_and_two() {
        let set = options(&["-http", ":0", "--node=n", "-min-deregister", "2s", "-max-blocked=7"]);
        assert_eq!(set.http.to_string(), "0.0.0.0:0");
        assert_eq!((set.node.as_str(), set.min_deregister.as_secs(), set.max_blocked), ("n", 2, 7));
        assert_eq!(options(&["-http", "localhost:1"]).http.to_string(), "127.0.0.1:1");
        assert_eq!(options(&[]).http.to_string(), "127.0.0.1:8500");
        assert_eq!(options(&[]).dns, Dns::IfFree("127.0.0.1:8600".parse().unwrap()));
        assert_eq!(options(&["-dns", ":53"]).dns, Dns::At("0.0.0.0:53".parse().unwrap()));
        assert_eq!(options(&["-dns", "off"]).dns, Dns::Off);
        assert_eq!(options(&["-dns="]).dns, Dns::Off);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (args, text) in [
            (&["-htp", "x"][..], "unknown flag -htp"),
            (&["-x"], "unknown flag -x"),
            (&["-http"], "missing argument for option '--http'"),
            (&["-http", "8500"], "-http \"8500\" is not ADDR:PORT"),
            (&["-dns", "8600"], "-dns \"8600\" is not ADDR:PORT or off"),
            (&["-min-interval", "5"], "-min-interval \"5\" is not a time such as 10s"),
            (&["-max-blocked", "0"], "is not a number from 1"),
            (&["-node", "a b"], "is not a name"),
            (&["more"], "unexpected argument \"more\""),
        ] {
            let error = parse(lexopt::Parser::from_args(args)).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
