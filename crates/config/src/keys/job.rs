//! Jobs of 3.x.

use super::{
    Key, Kind, SPAN, TIME,
    file::{FORMATS, LEVELS},
    health::HEALTH,
    key, required, table,
};

/// What else is said about what is advertised.
pub(super) const ADVERTISED: &[Key] = &[
    key("tags", Kind::Strings, "Tags in the catalog."),
    key("meta", Kind::Metadata, "Metadata in the catalog."),
    key("interfaces", Kind::Strings, "Where the advertised address comes from (eth0:inet, inet)."),
];

pub(super) const DRAIN_KIND: Kind = Kind::OneOf(&[TIME, Kind::Object(&DRAIN)]);

const STATUSES: Kind = Kind::Words(&["passing", "warning", "critical"]);

/// An event, the first time or every time.
const ONE: &[Key] = &[
    key(
        "source",
        Kind::Text,
        "A job, watch.NAME, election.NAME, template.NAME, SIGHUP, SIGUSR2 or global.",
    ),
    key("once", Kind::Event, "The event, the first time."),
    key("each", Kind::Event, "The event, every time."),
];

table!(
    JOB,
    "job",
    &[
        key(
            "name",
            Kind::Text,
            "Unique; the executable's if not given. Lower case, digits and - with a port."
        ),
        key("exec", Kind::Command, "What runs. Without it the job only advertises and checks."),
        key("when", Kind::Object(&WHEN), "What it waits for; at startup if not given."),
        key("timeout", SPAN, "SIGKILL after this long; of a timed job its interval."),
        key(
            "stopTimeout",
            TIME,
            "How long it waits for jobs on its stopping; the file's if not given."
        ),
        key("stopSignal", Kind::Signal, "What asks it to stop (SIGTERM)."),
        key("stopAfter", Kind::Strings, "Jobs that must have stopped before."),
        key(
            "restarts",
            Kind::Restarts,
            "A number, unlimited or never (the default, but for timed jobs)."
        ),
        key(
            "backoff",
            Kind::Words(&["exponential", "none"]),
            "How restarts wait: 100 ms to 30 s, or not at all."
        ),
        key(
            "essential",
            Kind::OneOf(&[Kind::Bool, Kind::Words(&["onFailure"])]),
            "Its exit, or only its failure, ends the program with its code."
        ),
        key("health", Kind::Object(&HEALTH), "The check; wanted with a port."),
        key("port", Kind::Port(0), "Makes it a service of the catalog; 0: without a port."),
        key(
            "drain",
            DRAIN_KIND,
            "From its leaving the catalog to the signal: a time, or an object."
        ),
        key("initialStatus", STATUSES, "Register at once with this status."),
        key("initial_status", STATUSES, "initialStatus, as 3.8 spells it."),
        key("consul", Kind::Object(&EXTRAS), "Options of Consul for this service."),
        key("logging", Kind::Object(&STREAMS), "What becomes of its output."),
        key("user", Kind::Account, "Runs as this user."),
        key("group", Kind::Account, "Runs as this group; the user's own if not given."),
        key("workdir", Kind::Path, "Runs in this folder, an absolute path."),
        key("env", Kind::Variables, "Variables of this job alone; null unsets one."),
    ],
    ADVERTISED,
);

table!(
    DRAIN,
    "drain",
    &[
        required("time", TIME, "How long those who use the service have to notice; 0: no drain."),
        key("mark", Kind::Bool, "It stays in the catalog meanwhile, as critical (false)."),
    ]
);

table!(
    WHEN,
    "when",
    ONE,
    &[
        key("all", Kind::List(&CONDITION, 1), "Several events: all are needed."),
        key("any", Kind::List(&CONDITION, 1), "Several events: each one starts the job."),
        key("timeout", SPAN, "How long to wait before the job is given up."),
        key("interval", SPAN, "The period of a timed job; excludes all but after."),
        key("after", Kind::Object(&AFTER), "What begins the first interval (startup)."),
    ]
);

table!(CONDITION, "condition", ONE);

table!(
    AFTER,
    "after",
    &[
        key("source", Kind::Text, "A job, watch.NAME, election.NAME, template.NAME or global."),
        required("once", Kind::Event, "The event."),
    ]
);

table!(
    STREAMS,
    "streams",
    &[
        key("raw", Kind::Bool, "The output is ours, byte for byte; excludes the others."),
        key("level", LEVELS, "The level of its lines (INFO)."),
        key("format", FORMATS, "json: lines that are objects give the log entry its fields."),
    ]
);

table!(
    EXTRAS,
    "extras",
    &[
        key("enableTagOverride", Kind::Bool, "Others may change the tags."),
        key("deregisterCriticalServiceAfter", SPAN, "Consul removes the service after this long."),
    ]
);
