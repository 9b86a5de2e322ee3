//! What runs in 1.x and 2.x.

use super::{
    Kind, SPAN,
    health::HEALTH_V2,
    job::{DRAIN_KIND, EXTRAS},
    key, required, table,
};

table!(
    SERVICE,
    "service",
    &[
        required("name", Kind::Name, "The name that is advertised: lower case, digits and -."),
        key("port", Kind::Port(0), "The port that is advertised."),
        key(
            "health",
            Kind::OneOf(&[Kind::Command, Kind::Object(&HEALTH_V2)]),
            "A command whose exit code 0 means healthy, or an object; always healthy without it."
        ),
        required("poll", SPAN, "From one check to the next, at least 1 s."),
        required("ttl", SPAN, "How long a passing check counts, at least 1 s."),
        key("timeout", SPAN, "A check that takes longer has failed; no limit if not given."),
        key("tags", Kind::Strings, "Tags in the catalog."),
        key("meta", Kind::Metadata, "Metadata in the catalog."),
        key("interfaces", Kind::Strings, "Where the advertised address comes from (eth0:inet)."),
        key("consul", Kind::Object(&EXTRAS), "Options of Consul for this service."),
        key("drain", DRAIN_KIND, "From its leaving the catalog to preStop: a time, or an object."),
    ]
);

table!(
    BACKEND,
    "backend",
    &[
        required("name", Kind::Name, "The service in the catalog."),
        required("poll", SPAN, "The longest time that a change may go unnoticed, at least 1 s."),
        required("onChange", Kind::Command, "Runs when the healthy instances have changed."),
        key("timeout", SPAN, "SIGKILL after this long."),
        key("tag", Kind::Text, "Only instances with this tag."),
    ]
);

table!(
    TASK,
    "task",
    &[
        key("name", Kind::Text, "The command's if not given."),
        required("command", Kind::Command, "What runs."),
        required("frequency", SPAN, "The period, at least 1ms."),
        key("timeout", SPAN, "SIGKILL after this long; the frequency if not given."),
    ]
);

table!(
    COPROCESS,
    "coprocess",
    &[
        key("name", Kind::Text, "The command's if not given."),
        required("command", Kind::Command, "What runs."),
        key("restarts", Kind::Restarts, "A number, unlimited or never (the default)."),
    ]
);
