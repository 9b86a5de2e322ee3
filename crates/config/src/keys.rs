//! What a file may say: every object with its keys.
//!
//! The decoders take no key that is not here, and leave none unread (they assert both); error
//! messages list these keys; the JSON Schema is made of them. So none of the three can be wrong
//! about the others.

/// An object of a file.
#[derive(Debug)]
pub(crate) struct Table {
    /// What it is called in the schema.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key of an object.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One line for those who write files.
    pub(crate) doc: &'static str,
    pub(crate) is_required: bool,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A string that is not blank.
    Name,
    /// A path from the root.
    Path,
    /// The name of an event.
    Event,
    Bool,
    /// `false`, for what is not wanted.
    False,
    /// From a lowest one on.
    Port(u16),
    /// A number of seconds from a lowest one on, or a string in Go's notation.
    Duration(i64),
    Command,
    Restarts,
    /// A name or a number of a user or a group.
    Account,
    /// A name or a number of a signal.
    Signal,
    /// One of some words, in any case of letters.
    Words(&'static [&'static str]),
    /// A string, or a list of strings.
    Strings,
    /// Ascending numbers.
    Numbers,
    /// Ascending numbers between 0 and 1.
    Quantiles,
    /// Names and values of variables.
    Variables,
    /// Keys and values of metadata.
    Metadata,
    /// A list of objects, of one at least if there is a 1.
    List(&'static Table, u8),
    Object(&'static Table),
    OneOf(&'static [Kind]),
}

/// A duration of 0 or more.
const TIME: Kind = Kind::Duration(0);
/// A duration of at least a second, or a millisecond if it is a string.
const SPAN: Kind = Kind::Duration(1);

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, is_required: false }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, is_required: true }
}

macro_rules! table {
    ($const:ident, $name:literal, [$($key:expr),* $(,)?]) => {
        pub(crate) static $const: Table = Table { name: $name, keys: &[$($key),*] };
    };
}

/// The whole of a 3.x file.
pub(crate) static ROOT_V3: Kind = Kind::Object(&V3);
/// The whole of a 1.x or 2.x file.
pub(crate) static ROOT_V2: Kind = Kind::Object(&V2);

table!(
    V3,
    "file",
    [
        key("$schema", Kind::Text, "For editors; the program ignores it."),
        key(
            "consul",
            CONSUL_KIND,
            "The Consul agent: host:port, a URL, unix:///path, an object; false: no catalog."
        ),
        key("etcd", ETCD_KIND, "The etcd cluster, in place of Consul."),
        key("logging", Kind::Object(&LOGGING), "How the program logs."),
        key("stopTimeout", TIME, "How long a stop may take before what is left is killed (5 s)."),
        key("control", Kind::Object(&CONTROL), "The control socket."),
        key("jobs", Kind::List(&JOB, 0), "What runs, and when."),
        key("watches", Kind::List(&WATCH, 0), "What is watched in the catalog: services, keys."),
        key("elections", Kind::List(&ELECTION, 0), "What one of several is elected to."),
        key("telemetry", Kind::Object(&TELEMETRY_V3), "The metrics endpoint."),
    ]
);

table!(
    V2,
    "file",
    [
        key("$schema", Kind::Text, "For editors; the program ignores it."),
        key(
            "consul",
            CONSUL_KIND,
            "The Consul agent: host:port, a URL, unix:///path, an object; false: no catalog."
        ),
        key("etcd", ETCD_KIND, "The etcd cluster, in place of Consul."),
        key("logging", Kind::Object(&LOGGING), "How the program logs."),
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
    ]
);

const CONSUL_KIND: Kind = Kind::OneOf(&[Kind::Text, Kind::Object(&CONSUL), Kind::False]);
const ETCD_KIND: Kind = Kind::Object(&ETCD);

table!(
    CONSUL,
    "consul",
    [
        key(
            "address",
            Kind::Strings,
            "host:port, a URL, or unix:///path (CONSUL_HTTP_ADDR, 127.0.0.1:8500); or several."
        ),
        key("scheme", Kind::Words(&["http", "https"]), "If an address has none."),
        key("token", Kind::Text, "The ACL token (CONSUL_HTTP_TOKEN)."),
        key(
            "tokenFile",
            Kind::Text,
            "File with the token, read again when it changes (CONSUL_HTTP_TOKEN_FILE)."
        ),
        key("namespace", Kind::Text, "Consul Enterprise's (CONSUL_NAMESPACE)."),
        key("partition", Kind::Text, "Consul Enterprise's (CONSUL_PARTITION)."),
        key("maxStale", TIME, "Any server may answer, with what is not older than this."),
        key("tls", Kind::Object(&TLS), "For https (CONSUL_CACERT and its like)."),
    ]
);

table!(
    TLS,
    "tls",
    [
        key("cafile", Kind::Text, "File with the authorities' certificates."),
        key("capath", Kind::Text, "Folder of such files."),
        key("clientcert", Kind::Text, "Our certificate."),
        key("clientkey", Kind::Text, "Its key."),
        key(
            "servername",
            Kind::Text,
            "The name in the catalog's certificate, if it is not the host's."
        ),
        key("verify", Kind::Bool, "Whether the catalog's certificate is verified (true)."),
    ]
);

table!(
    ETCD,
    "etcd",
    [
        required("endpoints", Kind::Strings, "URLs of the members."),
        key("prefix", Kind::Text, "Folder of all keys (/containerpilot)."),
        key("username", Kind::Text, "The user that we are."),
        key("password", Kind::Text, "The user's."),
        key("tls", Kind::Object(&TLS), "For https."),
    ]
);

table!(
    LOGGING,
    "logging",
    [
        key("level", LEVELS, "The least severe level that is written (INFO)."),
        key("format", FORMATS, "The shape of a line."),
        key("output", Kind::Text, "stdout, stderr, or a file, which SIGUSR1 reopens."),
    ]
);

const LEVELS: Kind = Kind::Words(&["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC", "WARNING"]);
const FORMATS: Kind = Kind::Words(&["default", "text", "json"]);

table!(
    CONTROL,
    "control",
    [key("socket", Kind::Text, "Path of the socket (/var/run/containerpilot.socket)."),]
);

table!(
    JOB,
    "job",
    [
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
        key("tags", Kind::Strings, "Tags in the catalog."),
        key("meta", Kind::Metadata, "Metadata in the catalog."),
        key(
            "interfaces",
            Kind::Strings,
            "Where the advertised address comes from (eth0:inet, inet)."
        ),
        key("consul", Kind::Object(&EXTRAS), "Options of Consul for this service."),
        key("logging", Kind::Object(&STREAMS), "What becomes of its output."),
        key("user", Kind::Account, "Runs as this user."),
        key("group", Kind::Account, "Runs as this group; the user's own if not given."),
        key("workdir", Kind::Path, "Runs in this folder, an absolute path."),
        key("env", Kind::Variables, "Variables of this job alone; null unsets one."),
    ]
);

const DRAIN_KIND: Kind = Kind::OneOf(&[TIME, Kind::Object(&DRAIN)]);

table!(
    DRAIN,
    "drain",
    [
        required("time", TIME, "How long those who use the service have to notice; 0: no drain."),
        key("mark", Kind::Bool, "It stays in the catalog meanwhile, as critical (false)."),
    ]
);

const STATUSES: Kind = Kind::Words(&["passing", "warning", "critical"]);

table!(
    WHEN,
    "when",
    [
        key("source", Kind::Text, "A job, watch.NAME, election.NAME, SIGHUP, SIGUSR2 or global."),
        key("once", Kind::Event, "The event, the first time."),
        key("each", Kind::Event, "The event, every time."),
        key("all", Kind::List(&CONDITION, 1), "Several events: all are needed."),
        key("any", Kind::List(&CONDITION, 1), "Several events: each one starts the job."),
        key("timeout", SPAN, "How long to wait before the job is given up."),
        key("interval", SPAN, "The period of a timed job; excludes all but after."),
        key("after", Kind::Object(&AFTER), "What begins the first interval (startup)."),
    ]
);

table!(
    CONDITION,
    "condition",
    [
        key("source", Kind::Text, "A job, watch.NAME, election.NAME, SIGHUP, SIGUSR2 or global."),
        key("once", Kind::Event, "The event, the first time."),
        key("each", Kind::Event, "The event, every time."),
    ]
);

table!(
    AFTER,
    "after",
    [
        key("source", Kind::Text, "A job, watch.NAME, election.NAME or global."),
        required("once", Kind::Event, "The event."),
    ]
);

table!(
    HEALTH,
    "health",
    [
        key("exec", Kind::Command, "Exit code 0 means healthy; always healthy without it."),
        required("interval", SPAN, "From one check to the next, at least 1 s."),
        key("ttl", SPAN, "How long a passing check counts, at least 1 s; wanted with a port."),
        key("timeout", SPAN, "A check that takes longer has failed; the interval if not given."),
        key("logging", Kind::Object(&STREAMS), "What becomes of its output."),
    ]
);

table!(
    STREAMS,
    "streams",
    [
        key("raw", Kind::Bool, "The output is ours, byte for byte; excludes the others."),
        key("level", LEVELS, "The level of its lines (INFO)."),
        key("format", FORMATS, "json: lines that are objects give the log entry its fields."),
    ]
);

table!(
    EXTRAS,
    "extras",
    [
        key("enableTagOverride", Kind::Bool, "Others may change the tags."),
        key("deregisterCriticalServiceAfter", SPAN, "Consul removes the service after this long."),
    ]
);

table!(
    WATCH,
    "watch",
    [
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
    [
        required("name", Kind::Name, "What is elected: election.NAME in events."),
        key("ttl", TIME, "A leader that cannot renew for this long is none (15 s, at least 2 s)."),
        key("lockDelay", TIME, "How long nobody follows one that was lost (15 s, at most 60 s)."),
        key("key", Kind::Text, "The lock (containerpilot/election/NAME/leader)."),
        key("service", Kind::Bool, "The leader, and nobody else, is advertised as service NAME."),
        key("port", Kind::Port(0), "The leader's port; 0: without a port."),
        key("tags", Kind::Strings, "The leader's tags in the catalog."),
        key("meta", Kind::Metadata, "The leader's metadata in the catalog."),
        key(
            "interfaces",
            Kind::Strings,
            "Where the leader's address comes from (eth0:inet, inet)."
        ),
    ]
);

table!(
    TELEMETRY_V3,
    "telemetry",
    [
        key("port", Kind::Port(1), "Where it listens (9090)."),
        key("interfaces", Kind::Strings, "The address where it listens (eth0:inet, inet)."),
        key("tags", Kind::Strings, "Tags of the service containerpilot."),
        key("metrics", Kind::List(&METRIC, 0), "Metrics of the user's."),
    ]
);

table!(
    TELEMETRY_V2,
    "telemetry",
    [
        key("port", Kind::Port(1), "Where it listens (9090)."),
        key("interfaces", Kind::Strings, "The address where it listens (eth0:inet, inet)."),
        key("tags", Kind::Strings, "Tags of the service containerpilot."),
        key("sensors", Kind::List(&SENSOR, 0), "Metrics of the user's."),
    ]
);

const KINDS: Kind = Kind::Words(&["counter", "gauge", "histogram", "summary"]);

table!(
    METRIC,
    "metric",
    [
        key("namespace", Kind::Text, "The first part of the name."),
        key("subsystem", Kind::Text, "The second part of the name."),
        required("name", Kind::Name, "The last part of the name; parts are joined by _."),
        key("help", Kind::Text, "What it is about."),
        required("type", KINDS, "counter adds, gauge sets, histogram and summary observe."),
        key("buckets", Kind::Numbers, "Upper bounds of a histogram (5 ms to 10 s)."),
        key("quantiles", Kind::Quantiles, "Of a summary (0.5, 0.9, 0.99)."),
        key("maxAge", SPAN, "How long a value counts in a summary (10 minutes, at least 1 s)."),
    ]
);

table!(
    SENSOR,
    "sensor",
    [
        key("namespace", Kind::Text, "The first part of the name."),
        key("subsystem", Kind::Text, "The second part of the name."),
        required("name", Kind::Name, "The last part of the name; parts are joined by _."),
        key("help", Kind::Text, "What it is about."),
        required("type", KINDS, "counter adds, gauge sets, histogram and summary observe."),
        key("buckets", Kind::Numbers, "Upper bounds of a histogram (5 ms to 10 s)."),
        key("quantiles", Kind::Quantiles, "Of a summary (0.5, 0.9, 0.99)."),
        key("maxAge", SPAN, "How long a value counts in a summary (10 minutes, at least 1 s)."),
        required("poll", SPAN, "From one check to the next, at least 1 s."),
        required("check", Kind::Command, "Prints the value."),
        key("timeout", SPAN, "SIGKILL after this long."),
    ]
);

table!(
    SERVICE,
    "service",
    [
        required("name", Kind::Name, "The name that is advertised: lower case, digits and -."),
        key("port", Kind::Port(0), "The port that is advertised."),
        key("health", Kind::Command, "Exit code 0 means healthy; always healthy without it."),
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
    [
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
    [
        key("name", Kind::Text, "The command's if not given."),
        required("command", Kind::Command, "What runs."),
        required("frequency", SPAN, "The period, at least 1ms."),
        key("timeout", SPAN, "SIGKILL after this long; the frequency if not given."),
    ]
);

table!(
    COPROCESS,
    "coprocess",
    [
        key("name", Kind::Text, "The command's if not given."),
        required("command", Kind::Command, "What runs."),
        key("restarts", Kind::Restarts, "A number, unlimited or never (the default)."),
    ]
);

impl Table {
    /// What the value of a key may be.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.keys.iter().find(|key| key.name == name).map(|key| &key.kind)
    }
}

impl Kind {
    /// The objects that it, or each of its items, may be.
    pub(crate) fn table(&self) -> Option<&'static Table> {
        match self {
            Kind::Object(table) | Kind::List(table, _) => Some(table),
            Kind::OneOf(kinds) => kinds.iter().find_map(Kind::table),
            _ => None,
        }
    }

    /// Whether it is, or may be, such a one.
    pub(crate) fn may_be(&self, is: impl Fn(&Kind) -> bool + Copy) -> bool {
        match self {
            Kind::OneOf(kinds) => kinds.iter().any(|kind| kind.may_be(is)),
            kind => is(kind),
        }
    }
}
