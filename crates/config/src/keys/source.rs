//! What 3.x observes: watches and elections.

use super::{Kind, SPAN, TIME, job::ADVERTISED, key, required, table};

table!(
    WATCH,
    "watch",
    &[
        key("name", Kind::Text, "The service in the catalog; of keys what events call them."),
        key("key", Kind::Text, "One key, in place of a service."),
        key("keyPrefix", Kind::Text, "All keys that begin so, in place of a service."),
        required(
            "interval",
            SPAN,
            "The longest time that a change may go unnoticed, at least 1 s."
        ),
        key("tag", Kind::Text, "Only instances with this tag."),
        key("dc", Kind::Text, "In this datacenter (Consul)."),
        key(
            "near",
            Kind::Text,
            "Instances in the order of their distance from this node (Consul)."
        ),
    ]
);

table!(
    ELECTION,
    "election",
    &[
        required("name", Kind::Name, "What is elected: election.NAME in events."),
        key("ttl", TIME, "A leader that cannot renew for this long is none (15 s, at least 2 s)."),
        key("lockDelay", TIME, "How long nobody follows one that was lost (15 s, at most 60 s)."),
        key("key", Kind::Text, "The lock (containerpilot/election/NAME/leader)."),
        key("service", Kind::Bool, "The leader, and nobody else, is advertised as service NAME."),
        key("port", Kind::Port(0), "The leader's port; 0: without a port."),
    ],
    ADVERTISED,
);
