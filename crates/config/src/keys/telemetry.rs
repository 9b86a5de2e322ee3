//! The metrics.

use super::{Key, Kind, SPAN, key, required, table};

/// Of the endpoint.
const ENDPOINT: &[Key] = &[
    key("port", Kind::Port(1), "Where it listens (9090)."),
    key("interfaces", Kind::Strings, "The address where it listens (eth0:inet, inet)."),
    key("tags", Kind::Strings, "Tags of the service containerpilot."),
];

table!(
    TELEMETRY_V3,
    "telemetry",
    ENDPOINT,
    &[key("metrics", Kind::List(&METRIC, 0), "Metrics of the user's.")],
);

table!(
    TELEMETRY_V2,
    "telemetry",
    ENDPOINT,
    &[key("sensors", Kind::List(&SENSOR, 0), "Metrics of the user's.")],
);

const KINDS: Kind = Kind::Words(&["counter", "gauge", "histogram", "summary"]);

/// What a metric and a sensor are.
const MEASURED: &[Key] = &[
    key("namespace", Kind::Text, "The first part of the name."),
    key("subsystem", Kind::Text, "The second part of the name."),
    required("name", Kind::Name, "The last part of the name; parts are joined by _."),
    key("help", Kind::Text, "What it is about."),
    required("type", KINDS, "counter adds, gauge sets, histogram and summary observe."),
    key("buckets", Kind::Numbers, "Upper bounds of a histogram (5 ms to 10 s)."),
    key("quantiles", Kind::Quantiles, "Of a summary (0.5, 0.9, 0.99)."),
    key("maxAge", SPAN, "How long a value counts in a summary (10 minutes, at least 1 s)."),
];

table!(METRIC, "metric", MEASURED);

table!(
    SENSOR,
    "sensor",
    MEASURED,
    &[
        required("poll", SPAN, "From one check to the next, at least 1 s."),
        required("check", Kind::Command, "Prints the value."),
        key("timeout", SPAN, "SIGKILL after this long."),
    ],
);
