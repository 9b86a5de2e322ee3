//! The data that a template sees: a small dynamic counterpart of Go's reflected values.

use crate::function::Function;
use crate::object::Object;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::rc::Rc;

/// A static Go type, as far as templates can tell types apart.
///
/// It names the element type of lists and maps, the parameters of functions, and appears in
/// error messages under its Go name (`string`, `[]interface {}` ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything.
    Any,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `uint64`.
    Uint,
    /// `float64`.
    Float,
    /// `string`.
    String,
    /// A slice of the given element type.
    List(&'static Type),
    /// A map from `string` to the given element type.
    Map(&'static Type),
    /// A named type, for objects: the name under which Go would show it (`*dep.Service`).
    Named(&'static str),
}

impl Type {
    /// The zero value of the type: what `missingkey=zero` and `index` give for a missing key.
    pub fn zero(&self) -> Value {
        match self {
            Type::Any | Type::Named(_) => Value::Nil,
            Type::Bool => Value::Bool(false),
            Type::Int => Value::Int(0),
            Type::Uint => Value::Uint(0),
            Type::Float => Value::Float(0.0),
            Type::String => Value::String(Rc::from("")),
            Type::List(element) => Value::List(Rc::new(List::new(**element, Vec::new()))),
            Type::Map(element) => Value::Map(Rc::new(Map::new(**element))),
        }
    }

    /// Whether a nil may stand for a value of this type.
    pub(crate) fn can_be_nil(&self) -> bool {
        matches!(self, Type::Any | Type::List(_) | Type::Map(_) | Type::Named(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("interface {}"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint64"),
            Type::Float => f.write_str("float64"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "[]{element}"),
            Type::Map(element) => write!(f, "map[string]{element}"),
            Type::Named(name) => f.write_str(name),
        }
    }
}

/// A value that a template can read. Cloning is cheap: what is large is shared.
#[derive(Clone, Default)]
pub enum Value {
    /// No value: Go's untyped nil.
    #[default]
    Nil,
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `uint64`.
    Uint(u64),
    /// A `float64`.
    Float(f64),
    /// A `string`; always valid UTF-8 here.
    String(Rc<str>),
    /// A slice.
    List(Rc<List>),
    /// A map with string keys.
    Map(Rc<Map>),
    /// A function value, for `call`.
    Func(Rc<Function>),
    /// Something with fields and methods that the embedder defines.
    Object(Rc<dyn Object>),
}

/// A slice: values and their static element type.
#[derive(Clone, Debug)]
pub struct List {
    element: Type,
    items: Vec<Value>,
}

impl List {
    /// A list whose Go type is a slice of `element`. The caller sees to it that the items fit.
    pub fn new(element: Type, items: Vec<Value>) -> List {
        List { element, items }
    }

    /// The static type of the elements.
    pub fn element(&self) -> Type {
        self.element
    }

    /// Adds an element at the end. The caller sees to it that it fits.
    pub fn push(&mut self, item: Value) {
        self.items.push(item);
    }

    /// The elements in order.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

/// A map with string keys in sorted (byte) order, as Go's templates and fmt walk them.
#[derive(Clone, Debug)]
pub struct Map {
    element: Type,
    entries: BTreeMap<Rc<str>, Value>,
}

impl Map {
    /// An empty `map[string]element`.
    pub fn new(element: Type) -> Map {
        Map { element, entries: BTreeMap::new() }
    }

    /// Adds or replaces an entry. The caller sees to it that the value fits the element type.
    pub fn insert(&mut self, key: impl Into<Rc<str>>, value: impl Into<Value>) {
        self.entries.insert(key.into(), value.into());
    }

    /// The entry under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// The entry under `key`, which is made if there is none.
    pub fn entry(&mut self, key: &str, make: impl FnOnce() -> Value) -> &mut Value {
        self.entries.entry(Rc::from(key)).or_insert_with(make)
    }

    /// The static type of the entries' values.
    pub fn element(&self) -> Type {
        self.element
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in sorted order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &Value)> {
        self.entries.iter()
    }

    /// The entry that follows the key, or the first.
    pub(crate) fn after(&self, key: Option<&str>) -> Option<(&Rc<str>, &Value)> {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.entries.range::<str, _>((start, Bound::Unbounded)).next()
    }

    /// A `map[string]string`, such as an environment.
    pub fn of_strings<K: Into<Rc<str>>, V: Into<Rc<str>>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Map {
        let mut map = Map::new(Type::String);
        // Not collected: that would sort, and code that sorts is large for each type.
        pairs.into_iter().for_each(|(key, value)| map.insert(key, Value::String(value.into())));
        map
    }

    /// A `map[string]interface {}`.
    pub fn of_any<K: Into<Rc<str>>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Map {
        let mut map = Map::new(Type::Any);
        pairs.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

impl Value {
    /// An object of the embedder's.
    pub fn object(object: impl Object + 'static) -> Value {
        Value::Object(Rc::new(object))
    }

    /// Go's name of the value's type, as `%T` prints it (`<nil>` for no value).
    pub fn type_name(&self) -> String {
        match self {
            Value::Nil => "<nil>".to_owned(),
            Value::Bool(_) => Type::Bool.to_string(),
            Value::Int(_) => Type::Int.to_string(),
            Value::Uint(_) => Type::Uint.to_string(),
            Value::Float(_) => Type::Float.to_string(),
            Value::String(_) => Type::String.to_string(),
            Value::List(list) => format!("[]{}", list.element),
            Value::Map(map) => format!("map[string]{}", map.element),
            Value::Func(function) => function.type_name(),
            Value::Object(object) => object.type_name().to_owned(),
        }
    }

    /// Whether a parameter of that type takes the value. A named list fits a plain one.
    pub(crate) fn fits(&self, wanted: Type) -> bool {
        match (self, wanted) {
            (_, Type::Any)
            | (Value::Bool(_), Type::Bool)
            | (Value::Int(_), Type::Int)
            | (Value::Uint(_), Type::Uint)
            | (Value::Float(_), Type::Float)
            | (Value::String(_), Type::String) => true,
            (Value::List(list), Type::List(element)) => list.element == *element,
            (Value::Map(map), Type::Map(element)) => map.element == *element,
            (Value::Object(object), Type::Named(name)) => object.type_name() == name,
            (Value::Object(object), Type::List(element)) => {
                object.as_list().is_some_and(|list| list.element == *element)
            }
            _ => false,
        }
    }

    /// Go's truth: false for nil, `false`, zero and whatever is empty.
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::Uint(u) => *u != 0,
            Value::Float(f) => *f != 0.0,
            Value::String(s) => !s.is_empty(),
            Value::List(list) => !list.items.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Func(_) => true,
            Value::Object(object) => object.truth(),
        }
    }

    /// Whether this is no value.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The elements, if this is a list or an object that behaves as one.
    pub fn as_list(&self) -> Option<Rc<List>> {
        match self {
            Value::List(list) => Some(list.clone()),
            Value::Object(object) => object.as_list(),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Rc<Map>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("Nil"),
            Value::Bool(v) => write!(f, "Bool({v})"),
            Value::Int(v) => write!(f, "Int({v})"),
            Value::Uint(v) => write!(f, "Uint({v})"),
            Value::Float(v) => write!(f, "Float({v})"),
            Value::String(v) => write!(f, "String({v:?})"),
            Value::List(v) => f.debug_list().entries(&v.items).finish(),
            Value::Map(v) => f.debug_map().entries(&v.entries).finish(),
            Value::Func(v) => write!(f, "Func({})", v.type_name()),
            Value::Object(v) => write!(f, "Object({})", v.type_name()),
        }
    }
}

macro_rules! from {
    ($($from:ty => |$v:ident| $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($v: $from) -> Value { $to }
        })*
    };
}

from! {
    bool => |v| Value::Bool(v);
    i64 => |v| Value::Int(v);
    i32 => |v| Value::Int(v.into());
    u64 => |v| Value::Uint(v);
    f64 => |v| Value::Float(v);
    &str => |v| Value::String(Rc::from(v));
    String => |v| Value::String(Rc::from(v));
    Rc<str> => |v| Value::String(v);
    List => |v| Value::List(Rc::new(v));
    Map => |v| Value::Map(Rc::new(v));
    Function => |v| Value::Func(Rc::new(v));
    Rc<dyn Object> => |v| Value::Object(v);
    Vec<Value> => |v| List::new(Type::Any, v).into();
    Vec<String> => |v| List::new(Type::String, v.into_iter().map(Value::from).collect()).into();
    BTreeMap<String, String> => |v| Map::of_strings(v).into();
    HashMap<String, String> => |v| Map::of_strings(v).into();
    BTreeMap<String, Value> => |v| Map::of_any(v).into();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Nil, Into::into)
    }
}
