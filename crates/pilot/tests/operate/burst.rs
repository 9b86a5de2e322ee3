//! Two hundred reloads, as fast as the program takes them.

use serde_json::{Value, json};
use testkit::{Consul, Running, wait_until};

use crate::support::{
    PATIENCE, await_lines, catalogued_jobs, identity, instance, jobs, lines, output, pilot,
};
use crate::{SERVE, advertised, ask, await_job, look, rewrite, serving};

/// What the program holds when nothing is going on.
#[derive(Debug)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    /// Resident, in KiB.
    memory: usize,
}

impl Holdings {
    fn of(run: &Running) -> Self {
        let proc = format!("/proc/{}", run.pid());
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap()
        };
        Self {
            descriptors: std::fs::read_dir(format!("{proc}/fd")).unwrap().count(),
            threads: number("Threads:"),
            memory: number("VmRSS:"),
        }
    }
}

fn round(consul: &Consul, number: usize) -> Value {
    let mut tagged = advertised("tagged");
    tagged["tags"] = json!([format!("tag-{number}")]);
    let mut changing = serving("changing");
    changing["env"] = json!({ "NUMBER": number });
    let mut jobs = vec![advertised("kept"), tagged, changing];
    if number.is_multiple_of(2) {
        jobs.push(advertised("coming"));
    }
    let watches = json!([{ "name": format!("other-{}", number % 3), "interval": 1 }]);
    catalogued_jobs(consul, watches, Value::from(jobs))
}

/// One in four is bad.
fn slam(run: &Running, consul: &Consul, rounds: std::ops::RangeInclusive<usize>) {
    for number in rounds {
        if number % 4 == 1 {
            rewrite(run, jobs(json!([{ "name": "bad", "exce": number }])));
            let answer = ask(run, "POST", "/v3/reload", "");
            assert!(answer.status == 422 && answer.body.contains("exce"), "{}", answer.body);
        } else {
            rewrite(run, round(consul, number));
            let answer = ask(run, "POST", "/v3/reload", "");
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{}", output(run));
        }
    }
}

/// Waits until everything is as the last file has it.
#[track_caller]
fn await_round(run: &Running, consul: &Consul, number: usize) {
    let coming = if number.is_multiple_of(2) { vec!["coming"] } else { vec![] };
    let names = [vec!["kept", "tagged", "changing"], coming.clone()].concat();
    wait_until(&format!("round {number} is in force"), PATIENCE, || {
        let status = look(run);
        let jobs = status["jobs"].as_array().unwrap();
        let seen: Vec<_> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
        let run_and_known =
            |job: &Value| job["state"] == "running" && job["service"]["registered"] != json!(false);
        let services = consul.services();
        let mut there: Vec<_> = services.as_object().unwrap().keys().cloned().collect();
        there.sort();
        let mut wanted: Vec<_> =
            [vec!["kept", "tagged"], coming.clone()].concat().into_iter().map(instance).collect();
        wanted.sort();
        let tags = &services[instance("tagged")]["Tags"];
        let good = seen == names
            && jobs.iter().all(run_and_known)
            && *tags == json!([format!("tag-{number}")])
            && there == wanted;
        if good { Ok(()) } else { Err(format!("{status} {services} {}", output(run))) }
    });
}

/// Which of the processes that a job has had are there.
fn alive(run: &Running, job: &str) -> usize {
    let pids = lines(run, &format!("{job}.pids"));
    pids.iter().filter(|pid| identity(pid.parse().unwrap()).is_some()).count()
}

#[test]
fn a_burst_of_reloads_ends_in_the_last_state_and_leaves_nothing_behind() {
    let consul = Consul::start();
    let run = pilot(round(&consul, 0)).script("serve", SERVE).spawn();
    await_lines(&run, "kept.pids", 1);
    let kept = await_job(&run, "kept", "/service/registered", true)["pid"].clone();
    slam(&run, &consul, 1..=50);
    await_round(&run, &consul, 50);
    let after_50 = Holdings::of(&run);
    slam(&run, &consul, 51..=200);
    await_round(&run, &consul, 200);
    let after_200 = Holdings::of(&run);

    assert!(look(&run)["generation"].as_u64().unwrap() > 20, "most have been in force");
    assert_eq!(await_job(&run, "kept", "/pid", kept)["restarts"], 0);
    for (job, count) in [("kept", 1), ("tagged", 1), ("changing", 1), ("coming", 1)] {
        wait_until(&format!("{job} has {count} process"), PATIENCE, || alive(&run, job) == count);
    }
    assert_eq!(lines(&run, "kept.pids").len(), 1);
    let pid = await_job(&run, "changing", "/state", "running")["pid"].clone();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(environment.split('\0').any(|line| line == "NUMBER=200"), "{environment}");
    assert_eq!(after_200.threads, after_50.threads);
    // A connection to the catalog may have come or gone in between.
    assert!(after_200.descriptors <= after_50.descriptors + 3, "{after_50:?} {after_200:?}");
    assert!(after_200.memory <= after_50.memory + 1024, "{after_50:?} {after_200:?}");
}
