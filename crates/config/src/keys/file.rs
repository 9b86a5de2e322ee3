//! The whole of a file, and what is said about the program.

use super::{
    Key, Kind, TIME,
    catalog::{CONSUL, ETCD},
    job::JOB,
    key,
    older::{BACKEND, COPROCESS, SERVICE, TASK},
    source::{ELECTION, WATCH},
    table,
    telemetry::{TELEMETRY_V2, TELEMETRY_V3},
    template::TEMPLATE,
};

const CONSUL_KIND: Kind = Kind::OneOf(&[Kind::Text, Kind::Object(&CONSUL), Kind::False]);

/// What both generations have.
const BOTH: &[Key] = &[
    key("$schema", Kind::Text, "For editors; the program ignores it."),
    key(
        "consul",
        CONSUL_KIND,
        "The Consul agent: host:port, a URL, unix:///path, an object; false: no catalog.",
    ),
    key("etcd", Kind::Object(&ETCD), "The etcd cluster, in place of Consul."),
    key("logging", Kind::Object(&LOGGING), "How the program logs."),
];

table!(
    V3,
    "file",
    BOTH,
    &[
        key("stopTimeout", TIME, "How long a stop may take before what is left is killed (5 s)."),
        key("control", Kind::Object(&CONTROL), "The control socket."),
        key("jobs", Kind::List(&JOB, 0), "What runs, and when."),
        key("watches", Kind::List(&WATCH, 0), "What is watched in the catalog: services, keys."),
        key("elections", Kind::List(&ELECTION, 0), "What one of several is elected to."),
        key("templates", Kind::List(&TEMPLATE, 0), "Files that are rendered from the catalog."),
        key("telemetry", Kind::Object(&TELEMETRY_V3), "The metrics endpoint."),
    ],
);

table!(
    V2,
    "file",
    BOTH,
    &[
        key(
            "preStart",
            Kind::Command,
            "Runs to its end before anything else; its failure ends the program."
        ),
        key("onStart", Kind::Command, "preStart, as 1.x calls it."),
        key("preStop", Kind::Command, "Runs before the application is asked to stop."),
        key(
            "postStop",
            Kind::Command,
            "Runs after the application; a failure replaces the exit code."
        ),
        key(
            "stopTimeout",
            Kind::Duration(i64::MIN),
            "From SIGTERM to SIGKILL of the application (5 s); negative: at once."
        ),
        key("stopSignal", Kind::Signal, "What asks the application to stop (SIGTERM)."),
        key("control", Kind::Object(&CONTROL), "The control socket; none if not given."),
        key("services", Kind::List(&SERVICE, 0), "What is advertised."),
        key("backends", Kind::List(&BACKEND, 0), "Services whose healthy instances are watched."),
        key("tasks", Kind::List(&TASK, 0), "What runs on a period."),
        key("coprocesses", Kind::List(&COPROCESS, 0), "What runs beside the application."),
        key("telemetry", Kind::Object(&TELEMETRY_V2), "The metrics endpoint."),
    ],
);

table!(
    LOGGING,
    "logging",
    &[
        key("level", LEVELS, "The least severe level that is written (INFO)."),
        key("format", FORMATS, "The shape of a line."),
        key("output", Kind::Text, "stdout, stderr, or a file, which SIGUSR1 reopens."),
    ]
);

pub(super) const LEVELS: Kind =
    Kind::Words(&["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC", "WARNING"]);
pub(super) const FORMATS: Kind = Kind::Words(&["default", "text", "json"]);

table!(
    CONTROL,
    "control",
    &[key("socket", Kind::Text, "Path of the socket (/var/run/containerpilot.socket)."),]
);
