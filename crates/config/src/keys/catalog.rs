//! Catalogs: how they are reached.

use super::{Kind, TIME, key, required, table};

table!(
    CONSUL,
    "consul",
    &[
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
    &[
        key("cafile", Kind::Text, "File with the authorities' certificates."),
        key("capath", Kind::Text, "Folder of such files."),
        key("clientcert", Kind::Text, "Our certificate."),
        key("clientkey", Kind::Text, "Its key."),
        key(
            "servername",
            Kind::Text,
            "The name in the server's certificate, if it is not the host's."
        ),
        key("verify", Kind::Bool, "Whether the server's certificate is verified (true)."),
    ]
);

table!(
    ETCD,
    "etcd",
    &[
        required("endpoints", Kind::Strings, "URLs of the members."),
        key("prefix", Kind::Text, "Folder of all keys (/containerpilot)."),
        key("username", Kind::Text, "The user that we are."),
        key("password", Kind::Text, "The user's."),
        key("tls", Kind::Object(&TLS), "For https."),
    ]
);
