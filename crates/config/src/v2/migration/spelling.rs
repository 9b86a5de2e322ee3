//! How 3.x spells the keys of objects that are taken over as they are.

use super::tree::{Keys, LEAF};

pub(super) const CONSUL: Keys = Keys(&[
    ("address", LEAF),
    ("scheme", LEAF),
    ("token", LEAF),
    ("tokenFile", LEAF),
    ("namespace", LEAF),
    ("partition", LEAF),
    ("maxStale", LEAF),
    ("tls", TLS),
]);

const TLS: Keys = Keys(&[
    ("cafile", LEAF),
    ("capath", LEAF),
    ("clientcert", LEAF),
    ("clientkey", LEAF),
    ("servername", LEAF),
    ("verify", LEAF),
]);

pub(super) const ETCD: Keys = Keys(&[
    ("endpoints", LEAF),
    ("prefix", LEAF),
    ("username", LEAF),
    ("password", LEAF),
    ("tls", TLS),
]);

pub(super) const LOGGING: Keys = Keys(&[("level", LEAF), ("format", LEAF), ("output", LEAF)]);

pub(super) const CONTROL: Keys = Keys(&[("socket", LEAF)]);

pub(super) const HEALTH: Keys = Keys(&[
    ("exec", LEAF),
    ("http", LEAF),
    ("method", LEAF),
    ("headers", LEAF),
    ("expect", LEAF),
    ("tls", TLS),
    ("tcp", LEAF),
    ("grpc", LEAF),
    ("file", FILE),
    ("startPeriod", LEAF),
    ("failures", LEAF),
    ("successes", LEAF),
    ("onFailure", LEAF),
]);

const FILE: Keys = Keys(&[("path", LEAF), ("youngerThan", LEAF)]);

pub(super) const DRAIN: Keys = Keys(&[("time", LEAF), ("mark", LEAF)]);
