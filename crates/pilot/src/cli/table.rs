//! All flags: what the parser knows, what `-help` says, what completions and the man page are made
//! of.

use flags::{Flag, Group, switch, valued};

/// Shells that completions are made for.
pub(crate) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// All of them.
pub(crate) const GROUPS: [Group; 4] = [
    Group {
        title: "run an application",
        flags: &[valued(
            "config",
            "VALUE",
            "the configuration: a path, file://PATH, or the JSON5 text itself;\n\
             without the flag, the same from the variable CONTAINERPILOT",
        )],
    },
    Group {
        title: "ask or tell a running one, through the socket that its configuration names",
        flags: &[
            switch(
                "status",
                "a table of jobs, health, watches, templates, elections and the catalog",
            ),
            switch("watch", "with -status: on a terminal, redraw it until Ctrl-C"),
            switch("json", "with -status or -events: JSON instead of text"),
            switch("events", "print what happens, as it happens"),
            valued(
                "source",
                "NAME",
                "with -events: of this job, watch.NAME, template.NAME,\nelection.NAME or global (repeatable)",
            ),
            valued("event", "NAME", "with -events: only these, like healthy (repeatable)"),
            switch("ping", "say ok if it is alive"),
            switch("reload", "read the configuration again; keep the old one if it is bad"),
            Flag {
                name: "maintenance",
                value: "STATE",
                choices: &["enable", "disable"],
                help: "take all services out of the catalog, or bring them back",
            },
            valued(
                "putenv",
                "KEY=VALUE",
                "set a variable for future processes; KEY= unsets it (repeatable)",
            ),
            valued(
                "putmetric",
                "KEY=VALUE",
                "add to, set or observe a metric of the configuration (repeatable)",
            ),
            valued(
                "socket",
                "PATH",
                "the socket, instead of looking into the configuration for it",
            ),
        ],
    },
    Group {
        title: "look at a configuration",
        flags: &[
            switch(
                "check",
                "say everything that is wrong with it, and what is legal but\n\
                 probably not meant; start nothing; exit with 0 if it is valid",
            ),
            switch("template", "print it with its templates rendered"),
            switch("migrate", "print a 1.x/2.x one as a 3.x one, with comments"),
            Flag {
                name: "schema",
                value: "GENERATION",
                choices: &["3.x", "2.x"],
                help: "print the JSON Schema of such configurations, for editors",
            },
            valued(
                "out",
                "VALUE",
                "where -template, -migrate and -schema print to: a path,\n\
                 file://PATH, or - for stdout (default)",
            ),
        ],
    },
    Group {
        title: "about the program",
        flags: &[
            switch("version", "print the version"),
            switch("help", "print this"),
            Flag {
                name: "completion",
                value: "SHELL",
                choices: &SHELLS,
                help: "print what makes bash, zsh or fish complete flags",
            },
            switch("manual", "print the man page (containerpilot -manual | man -l -)"),
        ],
    },
];

/// Every flag.
pub(super) fn all() -> impl Iterator<Item = &'static Flag> {
    GROUPS.iter().flat_map(|group| group.flags)
}
