//! Checks.

use super::{Key, Kind, SPAN, TIME, catalog::TLS, job::STREAMS, key, required, table};

/// What is done to find out; at most one of them.
const PROBES: &[Key] = &[
    key("exec", Kind::Command, "Exit code 0 means healthy; always healthy without any check."),
    key("http", Kind::Text, "A URL that is asked: http, https, or unix:///SOCKET:/PATH."),
    key("tcp", Kind::Text, "A host:port that is connected to."),
    key("grpc", Kind::Text, "A host:port, or host:port/SERVICE, that is asked by grpc.health.v1."),
    key("file", FILE_KIND, "A file that exists."),
];

const FILE_KIND: Kind = Kind::OneOf(&[Kind::Path, Kind::Object(&FILE)]);

/// What belongs to `http`.
const HTTP: &[Key] = &[
    key("method", METHODS, "Of the request (GET)."),
    key("headers", Kind::Headers, "Of the request."),
    key("expect", Kind::Statuses, "Status codes that mean healthy (200-399)."),
    key("tls", Kind::Object(&TLS), "For https, and for gRPC over TLS."),
];

const METHODS: Kind = Kind::Words(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/// When a state turns.
const TURNS: &[Key] = &[
    key("startPeriod", TIME, "How long failures do not count after a start, until one passes (0)."),
    key("failures", Kind::Count, "So many in a row make it unhealthy (1)."),
    key("successes", Kind::Count, "So many in a row make it healthy (1)."),
];

table!(
    HEALTH,
    "health",
    PROBES,
    HTTP,
    TURNS,
    &[
        key(
            "onFailure",
            Kind::Words(&["none", "restart", "shutdown"]),
            "What else happens when it turns unhealthy (none)."
        ),
        required("interval", SPAN, "From one check to the next, at least 1 s."),
        key("ttl", SPAN, "How long a passing check counts, at least 1 s; wanted with a port."),
        key("timeout", SPAN, "A check that takes longer has failed; the interval if not given."),
        key("logging", Kind::Object(&STREAMS), "What becomes of the command's output."),
    ],
);

table!(
    HEALTH_V2,
    "serviceHealth",
    PROBES,
    HTTP,
    TURNS,
    &[key(
        "onFailure",
        Kind::Words(&["none", "shutdown"]),
        "What else happens when it turns unhealthy (none)."
    )],
);

table!(
    FILE,
    "checkedFile",
    &[
        required("path", Kind::Path, "It exists."),
        key("youngerThan", SPAN, "It has changed less than this ago."),
    ],
);
