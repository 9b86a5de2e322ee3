//! `consul` and `etcd`, and the `CONSUL_*` variables.

mod address;
mod consul;
mod etcd;

use crate::{
    Host,
    catalog::Catalog,
    decode::{Field, Object},
    json5::Value,
};
use consul::Environment;

/// What a file says about catalogs.
#[derive(Clone, Debug)]
pub(crate) enum Registry {
    /// Nothing.
    Absent,
    /// `consul: false`: there is none, whatever the environment says.
    Off,
    /// Where it is.
    Of(Box<Catalog>),
}

impl Registry {
    /// The catalog, if there is one.
    pub(crate) fn catalog(self) -> Option<Catalog> {
        match self {
            Registry::Of(catalog) => Some(*catalog),
            Registry::Absent | Registry::Off => None,
        }
    }

    /// Whether there is none because the file wants none.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Registry::Off)
    }

    /// Whether it is Consul.
    pub(crate) fn is_consul(&self) -> bool {
        matches!(self, Registry::Of(catalog) if matches!(**catalog, Catalog::Consul(_)))
    }

    /// Refuses a key that Consul cannot have. etcd has any.
    pub(crate) fn check_key(&self, field: &Field<'_>, key: &str) {
        if !self.is_consul() {
            return;
        }
        let rule = "want names with / between them";
        if key.starts_with('/') {
            field.refuse("begins with /", "want it without: no key of Consul begins so");
        } else if key.contains("//") {
            field.refuse("has an empty part", rule);
        } else if key.split('/').any(|part| matches!(part, "." | "..")) {
            field.refuse("has a part of dots, which Consul takes for a way", rule);
        }
    }

    /// Whether it is etcd.
    pub(crate) fn is_etcd(&self) -> bool {
        self.etcd_prefix().is_some()
    }

    /// The folder of all keys on etcd.
    pub(crate) fn etcd_prefix(&self) -> Option<&str> {
        match self {
            Registry::Of(catalog) => match &**catalog {
                Catalog::Etcd(etcd) => Some(&etcd.prefix),
                Catalog::Consul(_) => None,
            },
            Registry::Absent | Registry::Off => None,
        }
    }

    /// Refuses what etcd cannot do, if it is the catalog.
    pub(crate) fn refuse_on_etcd(&self, field: &Field<'_>, why: &str) {
        if self.is_etcd() {
            field.refuse("cannot be had from etcd", why);
        }
    }

    /// Refuses the name of a service that cannot be a part of a key of etcd's.
    pub(crate) fn check_service_name(&self, field: &Field<'_>, name: &str) {
        if self.is_etcd() && name.contains('/') {
            let rule = "want a name without /, which stands between the parts of a key there";
            field.refuse("cannot be the name of a service in etcd", rule);
        }
    }
}

/// The catalog of a file: `consul`, `etcd`, or, if there is neither, what the variable
/// `CONSUL_HTTP_ADDR` says.
pub(crate) fn registry(root: &mut Object<'_>, host: &Host) -> Registry {
    let environment = Environment { report: root.report(), host };
    let of_consul = |consul: &Field<'_>| match &consul.node.value {
        Value::Bool(false) => Registry::Off,
        _ => Registry::Of(Box::new(Catalog::Consul(consul::of_field(consul, &environment)))),
    };
    match (root.take("consul"), root.take("etcd")) {
        (Some(consul), Some(etcd)) => {
            etcd.refuse("stands beside \"consul\"", "want one of the two");
            of_consul(&consul)
        }
        (Some(consul), None) => of_consul(&consul),
        (None, Some(etcd)) => Registry::Of(Box::new(Catalog::Etcd(etcd::of_field(&etcd)))),
        (None, None) => match environment.get("CONSUL_HTTP_ADDR") {
            Some(_) => {
                Registry::Of(Box::new(Catalog::Consul(consul::of_environment(&environment))))
            }
            None => Registry::Absent,
        },
    }
}
