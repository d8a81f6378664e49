//! The short form of the contract's request schemas that the sandbox embeds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::contract::{operations, pointer};
use crate::support::root;

/// It is a part of every binary.
const MAX_BYTES: usize = 26_000;

#[test]
fn the_embedded_requests_are_those_of_the_contract() {
    let path = root().join("src/sandbox/contract/requests.json");
    let expected = requests();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "renew it with UPDATE_DOCS=1 cargo test --test it sandbox::contract_requests"
    );
    assert!(expected.len() < MAX_BYTES, "{} bytes", expected.len());
}

fn requests() -> String {
    let mut schemas = BTreeMap::new();
    let mut all = Map::new();
    let mut sorted: Vec<_> = operations().collect();
    sorted.sort_by_key(|operation| operation.id);
    for operation in sorted {
        let mut entry = Map::new();
        let mut query = Map::new();
        for parameter in operation.description["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(parameter);
            if parameter["in"] == "query" {
                let name =
                    named(parameter["name"].as_str().unwrap(), parameter["required"] == true);
                let schema = short(resolve(&parameter["schema"]), &mut schemas);
                query.insert(name, if schema.is_string() { schema } else { json!("s") });
            }
        }
        if !query.is_empty() {
            entry.insert("query".to_owned(), query.into());
        }
        let body = resolve(&operation.description["requestBody"]);
        if body.is_object() {
            let schema = &body["content"]["application/json"]["schema"];
            entry.insert("body".to_owned(), short(schema, &mut schemas));
            if body["required"] == true {
                entry.insert("is_body_required".to_owned(), true.into());
            }
        }
        if !entry.is_empty() {
            all.insert(operation.id.to_owned(), entry.into());
        }
    }
    let lines = |entries: Vec<(String, Value)>| {
        let lines = entries.into_iter().map(|(name, entry)| format!("{}:{entry}", json!(name)));
        lines.collect::<Vec<_>>().join(",\n")
    };
    let all = lines(all.into_iter().collect());
    let schemas = lines(schemas.into_iter().collect());
    format!("{{\"operations\":{{\n{all}\n}},\"schemas\":{{\n{schemas}\n}}}}\n")
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(pointer(reference)),
        None => value,
    }
}

fn named(name: &str, is_required: bool) -> String {
    if is_required { format!("{name}!") } else { name.to_owned() }
}

/// The short form, see `src/sandbox/testing/compare.rs`. Referenced schemas go to `schemas`.
fn short(schema: &'static Value, schemas: &mut BTreeMap<String, Value>) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap().to_owned();
        if !schemas.contains_key(&name) {
            schemas.insert(name.clone(), Value::Null); // It may refer to itself.
            let definition = short(pointer(reference), schemas);
            schemas.insert(name.clone(), definition);
        }
        return format!("@{name}").into();
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let not_null = any.iter().filter(|schema| schema["type"] != "null");
        let forms: Vec<Value> = not_null.map(|schema| short(schema, schemas)).collect();
        return match (forms.as_slice(), forms.len() < any.len()) {
            ([Value::String(only)], true) => format!("{only}?").into(),
            (_, true) => json!({ "|": forms, "?": 1 }),
            (_, false) => json!({ "|": forms }),
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let is_nullable = types.contains(&"null");
    let types: Vec<&str> = types.into_iter().filter(|name| *name != "null").collect();
    let mut result = Map::new();
    let letter = match (types.as_slice(), schema["format"].as_str()) {
        (["string"], _) if schema["enum"].is_array() && schema["x-open-enum"] != true => {
            result.insert("=".to_owned(), schema["enum"].clone());
            ""
        }
        (["string"], Some("uuid")) => "u",
        (["string"], Some("date-time")) => "t",
        (["string"], _) => "s",
        (["integer"], _) => "i",
        (["number"], _) => "n",
        (["boolean"], _) => "b",
        (["array"], _) if schema["items"].is_object() => {
            result.insert("[]".to_owned(), short(&schema["items"], schemas));
            ""
        }
        (["array"], _) => "a",
        (["object"], _) => match (&schema["properties"], &schema["additionalProperties"]) {
            (Value::Object(properties), _) => {
                for (name, property) in properties {
                    let required = schema["required"].as_array();
                    let is_required = required.is_some_and(|list| list.contains(&json!(name)));
                    result.insert(named(name, is_required), short(property, schemas));
                }
                ""
            }
            (_, values) if values.as_object().is_some_and(|values| !values.is_empty()) => {
                result.insert("{}".to_owned(), short(values, schemas));
                ""
            }
            _ => "o",
        },
        _ => return "*".into(),
    };
    match (letter, is_nullable) {
        ("", true) => {
            result.insert("?".to_owned(), 1.into());
            result.into()
        }
        ("", false) => result.into(),
        (letter, true) => format!("{letter}?").into(),
        (letter, false) => letter.into(),
    }
}
