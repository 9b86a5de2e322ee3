//! `tls` of a catalog.

use std::path::PathBuf;

use crate::decode::{Field, Report};

/// What a file says; the rest may come from the environment.
#[derive(Default)]
pub(super) struct FileTls {
    pub(super) ca_file: Option<PathBuf>,
    pub(super) ca_path: Option<PathBuf>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) server_name: Option<String>,
    pub(super) verify: Option<bool>,
}

pub(super) fn tls(field: &Field<'_>) -> Option<FileTls> {
    let mut object = field.object()?;
    let mut path = |key| object.take(key).and_then(|file| file.text()).map(PathBuf::from);
    let mut tls = FileTls {
        ca_file: path("cafile"),
        ca_path: path("capath"),
        client_cert: path("clientcert"),
        client_key: path("clientkey"),
        ..FileTls::default()
    };
    tls.server_name = object.take("servername").and_then(|name| name.text());
    tls.verify = object.take("verify").and_then(|verify| verify.boolean());
    object.finish();
    Some(tls)
}

/// A client shows a certificate and proves with its key that it is the client's own.
pub(super) fn check_pair(tls: &crate::catalog::Tls, report: &Report<'_>, path: &str, rule: &str) {
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        report.problem_nowhere(path, "a client's certificate and its key go together", rule);
    }
}
