//! The registry that a configuration names, as a client of it.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, sync::Arc, time::SystemTime};

use catalog::{Catalog, Registrar};
use config::catalog::ConsulAddress;

/// A catalog and the task that keeps our instances registered there. It outlives a configuration
/// whose successor names the same catalog.
#[derive(Clone)]
pub(super) struct Registry {
    settings: config::Catalog,
    /// The files with certificates, as they were when the client read them.
    files: Vec<Stamp>,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) registrar: Registrar,
}

impl Registry {
    /// The one that a configuration names; `previous` if that is the same with the same settings
    /// and certificates. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// Certificates or tokens cannot be read.
    pub(super) fn build(
        settings: &config::Catalog,
        previous: Option<&Registry>,
    ) -> Result<Registry, String> {
        // Before they are read: a change in between is then found by the next reload.
        let files = files(settings);
        match previous {
            Some(same) if same.settings == *settings && same.files == files => {
                return Ok(same.clone());
            }
            _ => {}
        }
        let catalog = registry::client(settings)?;
        Ok(Registry { files, ..Registry::over(settings, catalog) })
    }

    /// What keeps our instances registered in a catalog that these settings name.
    pub(super) fn over(settings: &config::Catalog, catalog: Arc<dyn Catalog>) -> Registry {
        // The task ends with the last handle, that is with the last configuration that uses it.
        let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
        Registry { settings: settings.clone(), files: Vec::new(), catalog, registrar }
    }

    /// Whether both are the same client.
    pub(super) fn is(&self, other: &Registry) -> bool {
        Arc::ptr_eq(&self.catalog, &other.catalog)
    }

    /// Whether both are the same catalog, whatever else differs.
    pub(super) fn is_where(&self, other: &Registry) -> bool {
        match (&self.settings, &other.settings) {
            (config::Catalog::Consul(one), config::Catalog::Consul(other)) => {
                (&one.addresses, &one.namespace, &one.partition)
                    == (&other.addresses, &other.namespace, &other.partition)
            }
            (config::Catalog::Etcd(one), config::Catalog::Etcd(other)) => {
                (&one.endpoints, &one.prefix) == (&other.endpoints, &other.prefix)
            }
            _ => false,
        }
    }
}

/// A file as it was at a moment; `None`: there was none.
pub(super) type Stamp = Option<(u64, u64, SystemTime)>;

/// A file as it is now.
pub(super) fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.modified().ok()?))
}

/// The files that a client of these settings reads once, when it is built.
fn files(settings: &config::Catalog) -> Vec<Stamp> {
    let all: Vec<&config::catalog::Tls> = match settings {
        config::Catalog::Consul(settings) => settings
            .addresses
            .iter()
            .filter_map(|address| match address {
                ConsulAddress::Https { tls, .. } => Some(tls),
                ConsulAddress::Http { .. } | ConsulAddress::Unix(_) => None,
            })
            .collect(),
        config::Catalog::Etcd(settings) => vec![&settings.tls],
    };
    let mut stamps = Vec::new();
    for tls in all {
        let files = [&tls.ca_file, &tls.ca_path, &tls.client_cert, &tls.client_key];
        stamps.extend(files.into_iter().flatten().map(|path| stamp(path)));
        let folder = tls.ca_path.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        let mut paths = Vec::new();
        for path in folder.into_iter().flatten().flatten().map(|entry| entry.path()) {
            paths.insert(paths.partition_point(|other| *other < path), path);
        }
        stamps.extend(paths.iter().map(|path| stamp(path)));
    }
    stamps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_was_renewed_makes_another_client() {
        let folder = tempfile::tempdir().unwrap();
        let (key, authorities) = (folder.path().join("key.pem"), folder.path().join("ca"));
        fs::create_dir(&authorities).unwrap();
        let tls = config::catalog::Tls {
            client_key: Some(key.clone()),
            ca_path: Some(authorities.clone()),
            ..config::catalog::Tls::default()
        };
        let settings = config::Catalog::Etcd(config::catalog::Etcd {
            endpoints: Vec::new(),
            prefix: "/containerpilot".into(),
            username: None,
            password: None,
            tls,
        });
        let mut seen = vec![files(&settings)];
        let mut changed = || {
            let now = files(&settings);
            let is_new = !seen.contains(&now);
            seen.push(now);
            is_new
        };
        assert!(!changed(), "nothing has changed");
        fs::write(&key, "old").unwrap();
        assert!(changed(), "it appeared");
        // As certificates are renewed: another file takes the name.
        fs::write(folder.path().join("new"), "new").unwrap();
        fs::rename(folder.path().join("new"), &key).unwrap();
        assert!(changed(), "it was replaced");
        fs::write(authorities.join("more.pem"), "").unwrap();
        assert!(changed(), "an authority appeared");
        assert!(!changed(), "nothing has changed");
    }
}
