//! The data and functions of the golden cases; `generate/main.go` has the same in Go.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // It serves tests.

use gotemplate::{Functions, List, Map, Object, Signature, Type, Value};
use std::rc::Rc;

/// A structure with methods.
struct Service {
    type_name: &'static str,
    name: String,
    port: i64,
    tags: Vec<String>,
    meta: Value,
    any: Value,
}

impl Object for Service {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Name" => self.name.clone().into(),
            "Port" => self.port.into(),
            "Tags" => Value::object(Tags(self.tags.clone())),
            "Meta" => self.meta.clone(),
            "Any" => self.any.clone(),
            _ => return None,
        })
    }

    fn field_names(&self) -> &[&str] {
        &["Name", "Port", "Tags", "Meta", "Any"]
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(match name {
            "Address" | "Fail" => Signature::fixed(&[]),
            "Has" => Signature::fixed(&[Type::String]),
            "Sum" => Signature::variadic(&[Type::Int], Type::Int),
            _ => return None,
        })
    }

    fn call_method(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        match name {
            "Address" => Ok("10.0.0.1".into()),
            "Fail" => Err("no service".to_owned()),
            "Has" => Tags(self.tags.clone()).call_method("Contains", args),
            _ => Ok(args.iter().map(int).sum::<i64>().into()),
        }
    }
}

/// A list with a method.
struct Tags(Vec<String>);

impl Object for Tags {
    fn type_name(&self) -> &str {
        "main.Tags"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "Contains").then_some(Signature::fixed(&[Type::String]))
    }

    fn call_method(&self, _: &str, args: &[Value]) -> Result<Value, String> {
        Ok(self.0.iter().any(|tag| tag == text(&args[0])).into())
    }

    fn as_list(&self) -> Option<Rc<List>> {
        let items = self.0.iter().map(|tag| tag.as_str().into()).collect();
        Some(Rc::new(List::new(Type::String, items)))
    }
}

/// Prints itself.
struct Secret(String);

impl Object for Secret {
    fn type_name(&self) -> &str {
        "main.Secret"
    }

    fn field(&self, name: &str) -> Option<Value> {
        (name == "Text").then(|| self.0.clone().into())
    }

    fn field_names(&self) -> &[&str] {
        &["Text"]
    }

    fn display(&self) -> Option<String> {
        Some(format!("<{}>", self.0))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(i) => *i,
        other => panic!("{other:?} is not an int"),
    }
}

fn strings(items: impl IntoIterator<Item = String>) -> Value {
    Value::from(items.into_iter().collect::<Vec<String>>())
}

/// The functions that all cases may use.
pub(crate) fn functions() -> Functions {
    const STRING: Type = Type::String;
    const STRINGS: Type = Type::List(&Type::String);
    let mut f = Functions::new();
    f.add_typed("join", Signature::fixed(&[STRINGS, STRING]), |args| {
        let list = args[0].as_list().unwrap();
        let items: Vec<&str> = list.items().iter().map(text).collect();
        Ok(items.join(text(&args[1])).into())
    });
    f.add_typed("split", Signature::fixed(&[STRING, STRING]), |args| {
        Ok(strings(text(&args[1]).split(text(&args[0])).map(str::to_owned)))
    });
    f.add_typed("upper", Signature::fixed(&[STRING]), |args| {
        Ok(text(&args[0]).to_uppercase().into())
    });
    f.add_typed("add", Signature::fixed(&[Type::Int, Type::Int]), |args| {
        Ok((int(&args[0]) + int(&args[1])).into())
    });
    f.add_typed("half", Signature::fixed(&[Type::Float]), |args| match &args[0] {
        Value::Float(f) => Ok((f / 2.0).into()),
        other => panic!("{other:?}"),
    });
    f.add_typed("twice", Signature::fixed(&[Type::Uint]), |args| match &args[0] {
        Value::Uint(u) => Ok(u.wrapping_mul(2).into()),
        other => panic!("{other:?}"),
    });
    f.add_typed("yesno", Signature::fixed(&[Type::Bool]), |args| {
        Ok(if args[0].truth() { "yes" } else { "no" }.into())
    });
    f.add_typed("fail", Signature::fixed(&[STRING]), |args| Err(text(&args[0]).to_owned()));
    f.add_typed("strs", Signature::variadic(&[], STRING), |args| {
        Ok(strings(args.iter().map(|arg| text(arg).to_owned())))
    });
    f.add_typed("count", Signature::variadic(&[STRING], Type::Int), |args| {
        Ok(i64::try_from(text(&args[0]).len() + args.len() - 1).unwrap().into())
    });
    f.add_typed("hello", Signature::fixed(&[]), |_| Ok("hello".into()));
    f.add_typed("null", Signature::fixed(&[]), |_| Ok(Value::Nil));
    f.add_typed("same", Signature::fixed(&[Type::Any]), |args| Ok(args[0].clone()));
    f.add_typed("size", Signature::fixed(&[Type::Map(&Type::String)]), |args| {
        Ok(i64::try_from(args[0].as_map().unwrap().len()).unwrap().into())
    });
    f.add_typed("items", Signature::fixed(&[Type::List(&Type::Any)]), |args| {
        Ok(i64::try_from(args[0].as_list().unwrap().items().len()).unwrap().into())
    });
    f
}

/// Data from its JSON form.
pub(crate) fn data(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(b) => (*b).into(),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(i) => i.into(),
            None => n.as_f64().unwrap().into(),
        },
        serde_json::Value::String(s) => s.as_str().into(),
        serde_json::Value::Array(items) => items.iter().map(data).collect::<Vec<_>>().into(),
        serde_json::Value::Object(map) => {
            if map.len() == 1
                && let Some((tag, inner)) = map.iter().next()
                && tag.starts_with('$')
            {
                return tagged(tag, inner);
            }
            Map::of_any(map.iter().map(|(k, v)| (k.as_str(), data(v)))).into()
        }
    }
}

fn typed_map(element: Type, json: &serde_json::Value) -> Value {
    let mut map = Map::new(element);
    for (key, value) in json.as_object().unwrap() {
        let value = match element {
            Type::List(_) => tagged("$strings", value),
            _ => data(value),
        };
        map.insert(key.as_str(), value);
    }
    map.into()
}

fn typed_list(element: Type, json: &serde_json::Value) -> Value {
    let items = json.as_array().unwrap().iter().map(|item| match element {
        Type::Float => item.as_f64().unwrap().into(),
        _ => data(item),
    });
    List::new(element, items.collect()).into()
}

fn tagged(tag: &str, json: &serde_json::Value) -> Value {
    match tag {
        "$env" => typed_map(Type::String, json),
        "$intmap" => typed_map(Type::Int, json),
        "$listmap" => typed_map(Type::List(&Type::String), json),
        "$strings" => typed_list(Type::String, json),
        "$ints" => typed_list(Type::Int, json),
        "$floats" => typed_list(Type::Float, json),
        "$bools" => typed_list(Type::Bool, json),
        "$uint" => json.as_u64().unwrap().into(),
        "$float" => json.as_f64().unwrap().into(),
        "$tags" => Value::object(Tags(words(json))),
        "$service" => Value::object(service("main.Service", json)),
        "$pointer" => Value::object(service("*main.Service", json)),
        "$func" => Value::Func(functions().get(json.as_str().unwrap()).unwrap().clone()),
        "$secret" => Value::object(Secret(json.as_str().unwrap().to_owned())),
        other => panic!("unknown tag {other}"),
    }
}

fn words(json: &serde_json::Value) -> Vec<String> {
    json.as_array()
        .map(|items| items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
        .unwrap_or_default()
}

fn service(type_name: &'static str, json: &serde_json::Value) -> Service {
    let meta = match &json["Meta"] {
        serde_json::Value::Null => Map::new(Type::String).into(),
        meta => typed_map(Type::String, meta),
    };
    Service {
        type_name,
        name: json["Name"].as_str().unwrap_or("").to_owned(),
        port: json["Port"].as_i64().unwrap_or(0),
        tags: words(&json["Tags"]),
        meta,
        any: data(&json["Any"]),
    }
}
