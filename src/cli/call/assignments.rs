//! Parses `key=value` into arguments: the schema decides how a value is read.

use serde_json::{Map, Value};

use crate::registry::mark_numbers;

/// Applies the assignments to `base`. A dotted key sets a nested property; inside a free-form map the value is text,
/// unless it is assigned with `:=`. A list takes one `key=value` for each item, or JSON.
///
/// # Errors
/// A message about the first invalid assignment.
pub(super) fn parse<'a>(
    base: Map<String, Value>,
    assignments: impl Iterator<Item = &'a String>,
    schema: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let mut arguments = base;
    let mut seen: Vec<&str> = Vec::new();
    for assignment in assignments {
        let (key, value) = split(assignment)?;
        let path: Vec<&str> = key.split('.').collect();
        let is_list = expects_list(schema, &path);
        let repeated = seen.contains(&key);
        if repeated && !is_list {
            return Err(format!("{key} is assigned twice"));
        }
        seen.push(key);
        let value = match value {
            Assigned::Json(value) => value,
            Assigned::Text(text) if is_list && !text.trim_start().starts_with('[') => {
                append(&mut arguments, &path, Value::String(text), repeated)?;
                continue;
            }
            // The registry coerces text to the type that the schema expects.
            Assigned::Text(text) => Value::String(text),
        };
        *slot(&mut arguments, &path)? = value;
    }
    Ok(arguments)
}

/// A hint for an item of a list that looks like several.
pub(super) fn hint<'a>(
    mut assignments: impl Iterator<Item = &'a String>,
    schema: &Map<String, Value>,
) -> Option<String> {
    assignments.find_map(|assignment| {
        let (key, Assigned::Text(text)) = split(assignment).ok()? else { return None };
        let path: Vec<&str> = key.split('.').collect();
        let is_item = expects_list(schema, &path) && !text.trim_start().starts_with('[');
        let (first, rest) = text.split_once(',').filter(|_| is_item)?;
        let second = rest.split(',').next().unwrap_or_default();
        let several = format!("{key}={} {key}={}", first.trim(), second.trim());
        Some(format!("A text with a comma is one item of `{key}`; two are `{several}`."))
    })
}

enum Assigned {
    Text(String),
    Json(Value),
}

fn split(assignment: &str) -> Result<(&str, Assigned), String> {
    let invalid = || format!("{assignment:?}: expected key=value, key:=JSON or key=@file");
    let (key, value) = assignment.split_once('=').ok_or_else(invalid)?;
    if let Some(key) = key.strip_suffix(':') {
        let value = serde_json::from_str(&mark_numbers(value))
            .map_err(|error| format!("{key}: {value:?} is not JSON: {error}"))?;
        return Ok((non_empty(key).ok_or_else(invalid)?, Assigned::Json(value)));
    }
    let key = non_empty(key).ok_or_else(invalid)?;
    match value.strip_prefix('@') {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => Ok((key, Assigned::Text(text))),
            Err(error) => Err(format!("{key}: {file}: {error}")),
        },
        None => Ok((key, Assigned::Text(value.to_owned()))),
    }
}

fn non_empty(key: &str) -> Option<&str> {
    (!key.split('.').any(str::is_empty)).then_some(key)
}

/// Whether the schema expects a list at a path.
fn expects_list(schema: &Map<String, Value>, path: &[&str]) -> bool {
    let mut node = Some(schema);
    for part in path {
        let properties = node.and_then(|node| node.get("properties")).and_then(Value::as_object);
        node = properties.and_then(|properties| properties.get(*part)).and_then(Value::as_object);
    }
    node.and_then(|node| node.get("type")).is_some_and(|name| name == "array")
}

/// The value at a path; creates the objects above it.
fn slot<'a>(arguments: &'a mut Map<String, Value>, path: &[&str]) -> Result<&'a mut Value, String> {
    let (last, parents) = path.split_last().ok_or("an empty key")?;
    let mut map = arguments;
    for part in parents {
        let entry = map.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        map = entry
            .as_object_mut()
            .ok_or_else(|| format!("{}: {part} is not an object", path.join(".")))?;
    }
    Ok(map.entry((*last).to_owned()).or_insert(Value::Null))
}

fn append(
    arguments: &mut Map<String, Value>,
    path: &[&str],
    item: Value,
    repeated: bool,
) -> Result<(), String> {
    match slot(arguments, path)? {
        Value::Array(items) if repeated => items.push(item),
        value => *value = Value::Array(vec![item]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse_all(assignments: &[&str]) -> Result<Value, String> {
        let schema = json!({"type": "object", "properties": {
            "name": {"type": "string"},
            "count": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "free": {"type": "object"},
            "to": {"type": "object", "properties": {"tags": {"type": "array"}}},
        }});
        let assignments: Vec<String> = assignments.iter().map(|a| (*a).to_owned()).collect();
        parse(Map::new(), assignments.iter(), schema.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn values_are_read_as_the_schema_expects() {
        for (assignments, expected) in [
            (&["name=10"][..], json!({"name": "10"})),
            (&["name=a=b"], json!({"name": "a=b"})),
            (&["name="], json!({"name": ""})),
            (&["count=10"], json!({"count": "10"})),
            (&["tags=a"], json!({"tags": ["a"]})),
            (&["tags=a", "tags=b,c"], json!({"tags": ["a", "b,c"]})),
            (&["tags=[\"a\"]"], json!({"tags": "[\"a\"]"})),
            (&["tags:=[1]"], json!({"tags": [1]})),
            (
                &["free.a=10", "free.b:=10", "free.c.d=x"],
                json!({"free": {"a": "10", "b": 10, "c": {"d": "x"}}}),
            ),
            (&["to.tags=a", "to.tags=b"], json!({"to": {"tags": ["a", "b"]}})),
            (&["free:={\"a\":null}"], json!({"free": {"a": null}})),
        ] {
            assert_eq!(parse_all(assignments), Ok(expected), "{assignments:?}");
        }
    }

    #[test]
    fn an_item_that_looks_like_several_gets_a_hint() {
        let schema = json!({"properties": {"tags": {"type": "array"}, "name": {"type": "string"}}});
        for (assignment, expected) in [
            (
                "tags=a, b",
                Some("A text with a comma is one item of `tags`; two are `tags=a tags=b`."),
            ),
            ("tags=a", None),
            ("tags=[\"a\",\"b\"]", None),
            ("tags:=[\"a\",\"b\"]", None),
            ("name=a,b", None),
        ] {
            let hint = hint([assignment.to_owned()].iter(), schema.as_object().unwrap());
            assert_eq!(hint.as_deref(), expected, "{assignment}");
        }
    }

    #[test]
    fn an_invalid_assignment_is_an_error() {
        for (assignments, part) in [
            (&["name"][..], "expected key=value"),
            (&["=x"], "expected key=value"),
            (&["a..b=x"], "expected key=value"),
            (&["name=a", "name=b"], "assigned twice"),
            (&["free:={"], "is not JSON"),
            (&["name=a", "name.x=b"], "is not an object"),
            (&["name=@/no/such/file"], "/no/such/file"),
        ] {
            let error = parse_all(assignments).unwrap_err();
            assert!(error.contains(part), "{assignments:?}: {error}");
        }
    }
}
