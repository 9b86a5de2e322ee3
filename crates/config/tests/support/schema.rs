//! JSON5 texts against the JSON Schema, by a real validator.

use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use config::{
    Generation,
    json5::{self, Node, Value},
};

/// What is wrong with a text, `Err`; `Ok` if the schema finds nothing.
pub fn validate(generation: Generation, text: &str) -> Result<(), String> {
    static V2: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    static V3: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    let compiled = match generation {
        Generation::V2 => &V2,
        Generation::V3 => &V3,
    };
    let (schemas, index) = compiled.get_or_init(|| {
        let schema = serde_json::from_str(&config::schema(generation)).expect("JSON");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("pilot.json", schema).expect("a resource");
        let index = compiler.compile("pilot.json", &mut schemas).expect("a schema");
        (schemas, index)
    });
    let node = json5::parse(text).map_err(|error| error.to_string())?;
    let instance = json(&node);
    schemas.validate(&instance, *index).map_err(|error| format!("{error:#}"))
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            (*number as i64).into()
        }
        // What is no number in JSON becomes null.
        Value::Number(number) => (*number).into(),
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|member| (member.key.clone(), json(&member.value)));
            serde_json::Value::Object(members.collect())
        }
    }
}
