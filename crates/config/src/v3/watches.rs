//! `watches`: services, keys, and all keys below another.

use std::time::Duration;

use crate::{
    Watch,
    decode::{Field, Object, registry::Registry},
    job::{GlobalEvent, Trigger},
    watch::{ServiceQuery, Subject},
};

const SECOND: Duration = Duration::from_secs(1);
/// What a watch may be about.
const SUBJECTS: &str = "want a service's \"name\", a \"key\" or a \"keyPrefix\"";

/// A watch that comes after the `others`.
pub(super) fn watch(object: &mut Object<'_>, others: &[Watch], registry: &Registry) -> Watch {
    // What a template leaves of an unset variable is not given.
    let mut given = |key| object.take(key).filter(|field| !field.is_empty_string());
    let (name_field, key, prefix) = (given("name"), given("key"), given("keyPrefix"));
    let (tag, near, datacenter) = (given("tag"), given("near"), given("dc"));
    let interval = object.require("interval", "want a number of seconds from 1 on");
    let interval = interval.and_then(|field| field.duration(SECOND)).unwrap_or(SECOND);

    let name = name_field.as_ref().and_then(Field::name);
    // What the watch is called if it has no name, and where that stands.
    let (subject, path) = match (key, prefix) {
        (Some(key), prefix) => {
            if let Some(prefix) = prefix {
                prefix.refuse("stands beside \"key\"", "want one of the two");
            }
            let path = path(&key, registry);
            (Subject::Key(path.clone()), Some((key, path)))
        }
        (None, Some(prefix)) => {
            let path = path(&prefix, registry);
            (Subject::Keys(path.clone()), Some((prefix, path)))
        }
        (None, None) => {
            if name_field.is_none() {
                object.problem("the watch is about nothing", SUBJECTS);
            }
            if let (Some(field), Some(name)) = (&name_field, &name) {
                registry.check_service_name(field, name);
            }
            let query = ServiceQuery {
                service: name.clone().unwrap_or_default(),
                tag: tag.as_ref().and_then(Field::text),
                near: near.as_ref().and_then(Field::text),
            };
            (Subject::Service(query), None)
        }
    };
    if path.is_some() {
        let of_services = "belongs to a watch on a service, and this is one on keys";
        for field in [&tag, &near].into_iter().flatten() {
            field.refuse(of_services, "want it there alone");
        }
    }
    let one = "want it left out: a cluster of etcd is one datacenter";
    datacenter.iter().for_each(|field| registry.refuse_on_etcd(field, one));
    let no_order = "want it left out: etcd knows no distances between nodes";
    near.iter().for_each(|field| registry.refuse_on_etcd(field, no_order));

    let (key_field, path) = path.unzip();
    let watch = Watch {
        name: name.or(path).unwrap_or_default(),
        subject,
        datacenter: datacenter.as_ref().and_then(Field::text),
        interval,
        after: Trigger::Global(GlobalEvent::Startup),
    };
    if let Some(field) = name_field.or(key_field).filter(|_| !watch.name.is_empty()) {
        compare(&field, &watch, others);
    }
    watch
}

/// A key as the catalog knows it.
fn path(field: &Field<'_>, registry: &Registry) -> String {
    let path = field.text().unwrap_or_default();
    registry.check_key(field, &path);
    path
}

/// Watches of one name are one source, so that they should be about one thing: the instances of a
/// service that have one tag or another, what is in one datacenter or another.
fn compare(field: &Field<'_>, watch: &Watch, others: &[Watch]) {
    let others = || others.iter().filter(|other| other.name == watch.name);
    if others().any(|other| !same_thing(&other.subject, &watch.subject)) {
        let rule = "want another \"name\": each name is one source of events";
        field.refuse("is the name of a watch on something else", rule);
    } else if others()
        .any(|other| selects(other) == selects(watch) && other.datacenter == watch.datacenter)
    {
        let rule = match watch.subject {
            Subject::Service(_) => "want another \"tag\" or \"dc\" beside the same name",
            Subject::Key(_) | Subject::Keys(_) => "want another \"dc\" beside the same key",
        };
        field.refuse("is watched already", rule);
    }
}

fn same_thing(a: &Subject, b: &Subject) -> bool {
    match (a, b) {
        (Subject::Service(a), Subject::Service(b)) => a.service == b.service,
        (a, b) => a == b,
    }
}

/// Which instances of a service are meant; their order does not matter.
fn selects(watch: &Watch) -> Option<&String> {
    match &watch.subject {
        Subject::Service(query) => query.tag.as_ref(),
        Subject::Key(_) | Subject::Keys(_) => None,
    }
}
