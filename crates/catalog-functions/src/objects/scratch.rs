//! `scratch`: where one execution of a template puts things aside.

use std::{cell::RefCell, rc::Rc};

use gotemplate::{Map, Object, Signature, Type, Value};

use crate::depth::{DEEPEST, depth};

/// It begins empty with each execution.
pub(crate) struct Scratch(RefCell<Map>);

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch(RefCell::new(Map::new(Type::Any)))
    }
}

impl Scratch {
    fn map_set(&self, name: &str, key: &str, value: Value, over: bool) -> Result<(), String> {
        // What nests without end would overflow the stack when it is dropped.
        if depth(&value) >= DEEPEST {
            return Err(format!("the value is nested more than {DEEPEST} levels deep"));
        }
        let mut entries = self.0.borrow_mut();
        let entry = entries.entry(name, || Map::new(Type::Any).into());
        let Value::Map(map) = entry else {
            return Err(format!("{name:?} holds no map but {}", entry.type_name()));
        };
        if over || map.get(key).is_none() {
            Rc::make_mut(map).insert(key, value);
        }
        Ok(())
    }
}

impl Object for Scratch {
    fn type_name(&self) -> &str {
        "*template.Scratch"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        const TEXT: Type = Type::String;
        Some(match name {
            "Key" | "Get" | "MapValues" => Signature::fixed(&[TEXT]),
            "Set" | "SetX" => Signature::fixed(&[TEXT, Type::Any]),
            "MapSet" | "MapSetX" => Signature::fixed(&[TEXT, TEXT, Type::Any]),
            _ => return None,
        })
    }

    fn call_method(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let name = arguments.first().and_then(Value::as_str).unwrap_or_default();
        let second = arguments.get(1).cloned().unwrap_or_default();
        match method {
            "Key" => return Ok(self.0.borrow().get(name).is_some().into()),
            "Get" => return Ok(self.0.borrow().get(name).cloned().unwrap_or_default()),
            "Set" => {
                self.0.borrow_mut().insert(name, second);
            }
            "SetX" => {
                self.0.borrow_mut().entry(name, || second);
            }
            "MapSet" | "MapSetX" => {
                let value = arguments.get(2).cloned().unwrap_or_default();
                let key = second.as_str().unwrap_or_default();
                self.map_set(name, key, value, method == "MapSet")?;
            }
            "MapValues" => {
                let entries = self.0.borrow();
                return match entries.get(name) {
                    None => Ok(Value::Nil),
                    Some(Value::Map(map)) => {
                        Ok(map.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().into())
                    }
                    Some(other) => Err(format!("{name:?} holds no map but {}", other.type_name())),
                };
            }
            _ => return Err(format!("there is no scratch.{method}")),
        }
        Ok(Value::from(""))
    }
}
