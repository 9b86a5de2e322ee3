//! What is legal in a configuration and probably not meant. Said by `-check` only: a running
//! program does not repeat it at every start.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Command, Config, Election, Generation, Job, Secrets,
    election::ElectionId,
    job::{ElectionEvent, KillAfter, OnFailure, Restarts, Role, Trigger, When},
    secrets::secret_variables,
};

/// Container engines kill what has not stopped this long after they have asked.
const ENGINE_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that a reader of the file should think about again, in the order of the file.
pub fn advice(config: &Config, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mut advice = Vec::new();
    for job in &config.jobs {
        advice.extend(heartbeats(job));
        advice.extend(secrets(job, environment));
        let check = job.health.as_ref().and_then(crate::job::Health::command);
        let commands = job.exec.as_ref().map(|exec| &exec.command).into_iter().chain(check);
        advice.extend(shell(&job.name, commands));
        advice.extend(hasty(job));
        advice.extend(slow(job));
        advice.extend(endless_essential(config, job));
    }
    for template in &config.templates {
        let name = format!("templates ({})", template.name);
        advice.extend(shell(&name, template.check.iter().map(|check| &check.command)));
        let check = template.check.as_ref();
        advice.extend(check.and_then(|check| misplaced(&template.name, &check.command)));
    }
    advice.extend(unused_watches(config));
    advice.extend(
        config
            .elections
            .iter()
            .enumerate()
            .filter_map(|(index, election)| one_sided(config, ElectionId(index), election)),
    );
    advice.extend(long_stop(config));
    let secrets = Secrets::of(environment);
    advice.iter().map(|text| secrets.hide(&config.secrets.hide(text))).collect()
}

/// One late check must not turn an instance critical. A TTL that is not even longer than the
/// interval is a warning of its own, at every start.
fn heartbeats(job: &Job) -> Option<String> {
    let (ttl, interval) = (job.service.as_ref()?.ttl, job.health.as_ref()?.interval);
    (ttl > interval && ttl < interval.saturating_mul(2)).then(|| {
        format!(
            "{}: a check every {interval:?} with a TTL of {ttl:?}: one check that is late or lost \
             makes it critical; want a TTL of twice the interval at least",
            job.name
        )
    })
}

/// Arguments can be read by every process of the machine; the environment cannot.
fn secrets<'a>(
    job: &'a Job,
    environment: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + use<'a> {
    let commands = [
        job.exec.as_ref().map(|exec| &exec.command),
        job.health.as_ref().and_then(crate::job::Health::command),
    ];
    let hold = |command: &Command, secret: &str| {
        [&command.program].into_iter().chain(&command.args).any(|word| word.contains(secret))
    };
    let commands: Vec<&Command> = commands.into_iter().flatten().collect();
    secret_variables(environment)
        .filter(move |(_, value)| commands.iter().any(|command| hold(command, value)))
        .map(|(name, _)| {
            format!(
                "{}: the value of {name} stands in its arguments, which others can read; \
                 want the command to read the variable itself",
                job.name
            )
        })
}

/// Commands are split at white space and executed as they are.
fn shell<'a>(name: &str, commands: impl Iterator<Item = &'a Command>) -> Option<String> {
    const OPERATORS: [&str; 8] = ["&&", "||", "|", ">", ">>", "<", ";", "2>&1"];
    // Some stand before their file without a space.
    let operator = commands.flat_map(|command| &command.args).find(|word| {
        OPERATORS.contains(&word.as_str()) || word.starts_with(">/") || word.starts_with("2>/")
    })?;
    Some(format!(
        "{name}: {operator:?} is an argument like any other, for there is no shell; want [\"sh\", \"-c\", \"…\"]"
    ))
}

/// The first check runs at once, before most programs have opened their ports.
fn hasty(job: &Job) -> Option<String> {
    let health = job.health.as_ref()?;
    let consequence = match health.on_failure {
        OnFailure::Nothing => return None,
        OnFailure::Restart => "restarts it",
        OnFailure::Shutdown => "ends the program",
    };
    (health.failures == 1 && health.start_period.is_zero()).then(|| {
        format!(
            "{}: the first check runs at once, and {consequence} if it fails; want a startPeriod, \
             or more failures than one",
            job.name
        )
    })
}

/// A check begins when the one before has ended.
fn slow(job: &Job) -> Option<String> {
    let health = job.health.as_ref()?;
    let timeout = health.timeout.filter(|timeout| *timeout > health.interval)?;
    Some(format!(
        "{}: a check that takes its whole timeout of {timeout:?} leaves out those that are due \
         every {:?} meanwhile; want a timeout that is not longer than the interval",
        job.name, health.interval
    ))
}

/// `sh -c` has no `$0` of its own: the first argument is that.
fn misplaced(name: &str, check: &Command) -> Option<String> {
    let shell = check.program.rsplit('/').next().is_some_and(|it| matches!(it, "sh" | "bash"));
    let [option, line] = check.args.as_slice() else { return None };
    (shell && option == "-c" && line.contains("$1")).then(|| {
        format!(
            "templates ({name}): $1 is empty in its check: what follows the line of sh -c, which is \
             the path, is $0; want \"$0\""
        )
    })
}

/// What is always started again never ends for good.
fn endless_essential(config: &Config, job: &Job) -> Option<String> {
    let essential = matches!(job.role, Role::Essential | Role::Gate);
    let endless = matches!(job.when, When::On { .. }) && job.restarts == Restarts::Unlimited;
    (config.generation == Generation::V3 && essential && endless).then(|| {
        format!(
            "{}: it is essential, but always restarts, so that no exit of it ever ends the \
             program; want one of the two, or a number of restarts",
            job.name
        )
    })
}

fn unused_watches(config: &Config) -> impl Iterator<Item = String> {
    let used = |name: &str| {
        let mut triggers = config.jobs.iter().flat_map(|job| job.when.triggers());
        triggers.any(|trigger| match trigger {
            Trigger::Watch(id, _) => {
                config.watches.get(id.0).is_some_and(|watch| watch.name == name)
            }
            _ => false,
        })
    };
    config
        .watches
        .iter()
        .filter(move |watch| !used(&watch.name))
        .map(|watch| format!("watch.{}: no job waits for it; want one, or no watch", watch.name))
}

/// What is done by whoever is elected has to end with that.
fn one_sided(config: &Config, id: ElectionId, election: &Election) -> Option<String> {
    let waits = |event| {
        let mut triggers = config.jobs.iter().flat_map(|job| job.when.triggers());
        triggers.any(|trigger| trigger == Trigger::Election(id, event))
    };
    let name = &election.name;
    match (waits(ElectionEvent::Elected), waits(ElectionEvent::Demoted)) {
        (true, false) => Some(format!(
            "election.{name}: a job waits for \"elected\" and none for \"demoted\": what it starts \
             goes on when somebody else is elected; want one that ends it"
        )),
        (false, false) if election.service.is_none() => Some(format!(
            "election.{name}: no job waits for it, and its leader is not advertised; want one of \
             the two, or no election"
        )),
        _ => None,
    }
}

fn long_stop(config: &Config) -> Option<String> {
    let of_jobs = config.jobs.iter().filter_map(|job| match job.stop.kill_after {
        KillAfter::After(patience) => Some(patience),
        KillAfter::AtOnce | KillAfter::Deadline => None,
    });
    // In 3.x a drain is a part of the whole, in 2.x it comes before.
    let drains = config.jobs.iter().filter_map(|job| job.stop.drain);
    let drain = match config.generation {
        Generation::V2 => drains.map(|drain| drain.time).max().unwrap_or_default(),
        Generation::V3 => Duration::ZERO,
    };
    let longest = config.stop_timeout.into_iter().chain(of_jobs).max()?;
    let (whole, and) = match longest.saturating_add(drain) {
        whole if drain.is_zero() => (whole, String::new()),
        whole => (whole, format!(" and {drain:?} of drain")),
    };
    (whole >= ENGINE_PATIENCE).then(|| {
        format!(
            "stopTimeout: {longest:?}{and}: container engines kill everything {ENGINE_PATIENCE:?} \
             after they have asked to stop; want less, or a longer time there (docker stop -t)"
        )
    })
}
