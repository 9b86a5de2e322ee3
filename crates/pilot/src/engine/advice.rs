//! What would keep a configuration from starting here, though it is valid: it may be meant for
//! another machine. Said by `-check`.

use config::{Command, Config, job::Surroundings};

use super::children::Plan;
use crate::environment::Environment;

/// All of it.
pub(crate) fn advice(config: &Config) -> Vec<String> {
    let identities =
        Plan::build(config).err().map(|error| format!("{error}: it would not start here"));
    let folders = config.jobs.iter().filter_map(|job| {
        let folder = job.surroundings.workdir.as_ref().filter(|folder| !folder.is_dir())?;
        let (name, folder) = (&job.name, folder.display());
        Some(format!("jobs ({name}): workdir {folder} is no folder here, or not yet"))
    });
    identities.into_iter().chain(folders).chain(absent_programs(config)).collect()
}

/// In one line: on the machine where a file is written often none of its programs is there.
fn absent_programs(config: &Config) -> Option<String> {
    let environment = Environment::new(config);
    let nowhere = Surroundings::default();
    let of_jobs = config.jobs.iter().flat_map(|job| {
        let check = job.health.as_ref().and_then(config::job::Health::command);
        let commands = job.exec.as_ref().map(|exec| &exec.command).into_iter().chain(check);
        commands.map(|command| (command, &job.surroundings))
    });
    let checks = config.templates.iter().filter_map(|template| template.check.as_ref());
    let of_templates = checks.map(|check| (&check.command, &nowhere));
    let is_absent = |program: &str, surroundings: &Surroundings| {
        let own = environment.of(surroundings, None);
        let variables = own.as_ref().unwrap_or(environment.variables());
        process::locate(program, variables, surroundings.workdir.as_deref()).is_err()
    };
    let mut absent: Vec<&str> = Vec::new();
    for (Command { program, .. }, surroundings) in of_jobs.chain(of_templates) {
        if !absent.contains(&program.as_str()) && is_absent(program, surroundings) {
            absent.push(program);
        }
    }
    (!absent.is_empty()).then(|| {
        format!(
            "programs that are not here, or not yet: {}",
            config.secrets.hide(&absent.join(", "))
        )
    })
}
