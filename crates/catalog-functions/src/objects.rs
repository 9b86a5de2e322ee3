//! What templates see of a catalog's answers: structures whose fields are read from the answer
//! itself, which they share.

mod key;
mod node;
mod scratch;
mod service;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use catalog::Finding;
use gotemplate::{List, Map, Object, Type, Value};

pub(crate) use key::{KEY_PAIR, absent_key, key, key_below, level, not_text, tree};
pub(crate) use node::{no_node, node, nodes};
pub(crate) use scratch::Scratch;
pub(crate) use service::{Standing, instances, listed, no_instances, no_services};

/// Where in an answer something is: an element, and an element of that.
pub(crate) type Place = (usize, usize);

/// A part of an answer.
struct Part<T: 'static> {
    finding: Arc<Finding>,
    place: Place,
    find: fn(&Finding, Place) -> Option<&T>,
}

impl<T> Part<T> {
    fn get(&self) -> Option<&T> {
        (self.find)(&self.finding, self.place)
    }

    /// A list of parts of the same answer, one for each place.
    fn list(
        finding: &Arc<Finding>,
        find: fn(&Finding, Place) -> Option<&T>,
        places: impl Iterator<Item = Place>,
    ) -> Value
    where
        T: Fields,
    {
        let part = |place| Value::object(Part { finding: finding.clone(), place, find });
        list(T::LIST, T::TYPE, places.map(part).collect())
    }
}

/// Something with fields.
trait Fields {
    /// Its name in Go.
    const TYPE: &'static Type;
    /// The name of a list of it.
    const LIST: &'static str;
    /// Its fields in the order in which they are printed and written as JSON.
    const NAMES: &'static [&'static str];

    /// The field of that name. `finding` and `place` are where this was found.
    fn field(&self, name: &str, finding: &Arc<Finding>, place: Place) -> Option<Value>;
}

impl<T: Fields> Object for Part<T> {
    fn type_name(&self) -> &str {
        match T::TYPE {
            Type::Named(name) => name,
            _ => "",
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.get()?.field(name, &self.finding, self.place)
    }

    fn field_names(&self) -> &[&str] {
        T::NAMES
    }
}

/// A list that is counted by the engine as what it is: shared, and made once.
struct Shared {
    type_name: &'static str,
    list: Rc<List>,
}

impl Object for Shared {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn as_list(&self) -> Option<Rc<List>> {
        Some(self.list.clone())
    }
}

fn list(type_name: &'static str, element: &'static Type, items: Vec<Value>) -> Value {
    Value::object(Shared { type_name, list: Rc::new(List::new(*element, items)) })
}

fn map(map: &BTreeMap<String, String>) -> Value {
    Map::of_strings(map.iter().map(|(key, value)| (key.as_str(), value.as_str()))).into()
}

fn text(text: &str) -> Value {
    Value::from(text)
}
