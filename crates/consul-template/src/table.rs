//! All flags: what the parser knows and what `-help` says. What has no help is understood for those
//! who have it in their scripts: older spellings, and settings that mean nothing here.

use flags::{Group, switch, valued};

/// All of them.
pub(crate) static FLAGS: [Group; 5] = [
    Group {
        title: "what is rendered",
        flags: &[
            valued(
                "template",
                "SOURCE:DESTINATION[:COMMAND]",
                "a template, the file that it becomes (none: print it), and a command\n\
                 for the shell to be run after each change of the file (repeatable)",
            ),
            valued(
                "config",
                "PATH",
                "a file of settings in HCL or JSON, or a folder of them (repeatable:\n\
                 later ones win, and flags win over all)",
            ),
            switch("once", "render each once, run the commands, and exit"),
            switch("dry", "print what would be written; write nothing, run nothing"),
            switch("parse-only", "read settings and templates, say what is wrong, and exit"),
            valued(
                "wait",
                "MIN[:MAX]",
                "render after MIN without a further change, after MAX at the latest\n\
                 (4 x MIN), such as 5s or 500ms:10s",
            ),
            valued("default-left-delimiter", "TEXT", "what opens an action, instead of {{"),
            valued("default-right-delimiter", "TEXT", "what closes it, instead of }}"),
        ],
    },
    Group {
        title: "where the catalog is; variables CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and the like fill gaps",
        flags: &[
            valued(
                "consul-addr",
                "ADDRESS",
                "host:port, a URL, or unix:///path (127.0.0.1:8500); also -consul",
            ),
            valued("consul-token", "TOKEN", "the ACL token; also -token"),
            valued(
                "consul-token-file",
                "PATH",
                "a file with the token, read again when it changes",
            ),
            valued("consul-auth", "NAME:PASSWORD", "for a proxy in front of Consul; also -auth"),
            valued("consul-namespace", "NAME", "the namespace (Consul Enterprise)"),
            switch("consul-ssl", "speak TLS; also -ssl, and so for those below"),
            switch("consul-ssl-verify", "verify the agent's certificate (the default)"),
            valued("consul-ssl-ca-cert", "PATH", "authorities to trust (PEM)"),
            valued("consul-ssl-ca-path", "PATH", "a folder of such files"),
            valued("consul-ssl-cert", "PATH", "our certificate (PEM)"),
            valued("consul-ssl-key", "PATH", "its key (PEM)"),
            valued("consul-ssl-server-name", "NAME", "whose certificate it must be"),
            valued("max-stale", "DURATION", "any server may answer that is not further behind"),
            valued("etcd", "URL", "etcd instead of Consul (repeatable: further members)"),
        ],
    },
    Group {
        title: "a program to run beside",
        flags: &[
            valued(
                "exec",
                "COMMAND",
                "start it when all is rendered, pass signals on, end with its exit code",
            ),
            valued(
                "exec-reload-signal",
                "SIGNAL",
                "tells it of a change; without: it is stopped and started again",
            ),
            valued(
                "exec-kill-signal",
                "SIGNAL",
                "asks it to stop (SIGINT; at our end: the one that we got)",
            ),
            valued("exec-kill-timeout", "DURATION", "then it is killed (30s)"),
            valued("exec-splay", "DURATION", "wait for up to so long before a reload"),
        ],
    },
    Group {
        title: "the program itself",
        flags: &[
            valued("reload-signal", "SIGNAL", "read the settings again (SIGHUP; \"\": never)"),
            valued("kill-signal", "SIGNAL", "stop (SIGINT, and always SIGTERM)"),
            valued("pid-file", "PATH", "a file that has our process id while we run"),
            valued("log-level", "LEVEL", "debug, info, warn (default) or err"),
            switch("version", "print the version; also -v"),
            switch("help", "print this"),
        ],
    },
    Group {
        title: "understood, and without effect",
        flags: &[
            switch("dedup", "one blocking query serves all templates anyway"),
            valued(
                "retry",
                "DURATION",
                "retries have a back-off of their own; also -consul-retry-...",
            ),
            switch("syslog", "the log goes to stderr; also -syslog-..."),
            // Older spellings, and what goes with the above.
            switch("v", ""),
            valued("consul", "ADDRESS", ""),
            valued("token", "TOKEN", ""),
            valued("auth", "NAME:PASSWORD", ""),
            switch("ssl", ""),
            switch("ssl-verify", ""),
            valued("ssl-cert", "PATH", ""),
            valued("ssl-key", "PATH", ""),
            valued("ssl-ca-cert", "PATH", ""),
            valued("ssl-ca-path", "PATH", ""),
            valued("ssl-server-name", "NAME", ""),
            switch("reap", ""),
            switch("consul-retry", ""),
            valued("consul-retry-attempts", "NUMBER", ""),
            valued("consul-retry-backoff", "DURATION", ""),
            valued("consul-retry-max-backoff", "DURATION", ""),
            valued("consul-transport-dial-keep-alive", "DURATION", ""),
            valued("consul-transport-dial-timeout", "DURATION", ""),
            switch("consul-transport-disable-keep-alives", ""),
            valued("consul-transport-max-idle-conns-per-host", "NUMBER", ""),
            valued("consul-transport-tls-handshake-timeout", "DURATION", ""),
            valued("block-query-wait", "DURATION", ""),
            valued("dump-signal", "SIGNAL", ""),
            valued("syslog-facility", "FACILITY", ""),
            valued("syslog-name", "NAME", ""),
        ],
    },
];
