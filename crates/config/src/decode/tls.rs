//! `tls` of whatever is spoken to.

use std::path::PathBuf;

use super::{Field, Report};
use crate::catalog::Tls;

/// What a file says; the rest may come from the environment.
#[derive(Default)]
pub(crate) struct FileTls {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_path: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) server_name: Option<String>,
    pub(crate) verify: Option<bool>,
}

pub(crate) fn tls(field: &Field<'_>) -> Option<FileTls> {
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

impl FileTls {
    /// With nothing from the environment.
    pub(crate) fn alone(self) -> Tls {
        Tls {
            ca_file: self.ca_file,
            ca_path: self.ca_path,
            client_cert: self.client_cert,
            client_key: self.client_key,
            server_name: self.server_name,
            insecure: self.verify == Some(false),
        }
    }
}

/// A client shows a certificate and proves with its key that it is the client's own.
pub(crate) fn check_pair(tls: &Tls, report: &Report<'_>, path: &str, rule: &str) {
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        report.problem_nowhere(path, "a client's certificate and its key go together", rule);
    }
}
