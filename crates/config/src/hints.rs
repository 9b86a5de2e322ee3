//! What is right in a configuration and could be better. Said by `-check` only.

use std::collections::BTreeMap;

use crate::{
    Command, Config, Generation, Job, Secrets,
    decode::{authority, health::is_url},
    job::Health,
};

/// Everything of that kind, in the order of the file.
pub fn hints(config: &Config, environment: &BTreeMap<String, String>) -> Vec<String> {
    let hints = config.jobs.iter().filter_map(|job| asking(config.generation, job));
    let secrets = Secrets::of(environment);
    hints.map(|text| secrets.hide(&config.secrets.hide(&text))).collect()
}

/// A program that is started every few seconds to ask. Only where a check of ours would come to the
/// same: options that change what is asked, or whom, are somebody's intention.
fn asking(generation: Generation, job: &Job) -> Option<String> {
    let Command { program, args } = job.health.as_ref().and_then(Health::command)?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let (key, value) = match program {
        "curl" => ("http", curl(args)?.to_owned()),
        "nc" => ("tcp", nc(args)?),
        _ => return None,
    };
    let instead = match generation {
        Generation::V2 => format!("\"health\": {{ \"{key}\": \"{value}\" }}"),
        Generation::V3 => format!("\"{key}\": \"{value}\" in \"health\""),
    };
    Some(format!(
        "{}: its check runs {program}; {instead} does the same without a process",
        job.name
    ))
}

/// The URL that a curl asks which fails with the answer, and shows less or more of it.
fn curl(args: &[String]) -> Option<&str> {
    let (mut url, mut fails) = (None, false);
    let mut args = args.iter();
    while let Some(word) = args.next() {
        match word.as_str() {
            "--fail" => fails = true,
            "--silent" | "--show-error" => {}
            "-o" => {
                args.next().filter(|file| *file == "/dev/null")?;
            }
            word if word.starts_with('-') => {
                let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty())?;
                if !flags.bytes().all(|flag| b"fsS".contains(&flag)) {
                    return None;
                }
                fails |= flags.contains('f');
            }
            word if url.is_none() && word.starts_with("http") && is_url(word) => url = Some(word),
            _ => return None,
        }
    }
    url.filter(|_| fails)
}

/// Where a netcat connects that does nothing else.
fn nc(args: &[String]) -> Option<String> {
    let [flag, host, port] = args else { return None };
    let place =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let is_place = matches!(authority::parse(&place), Ok((_, Some(_))));
    (flag == "-z" && is_place).then_some(place)
}
