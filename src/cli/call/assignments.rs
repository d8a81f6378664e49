//! `key=value` as arguments: each value is read by what the schema wants in its place.

use serde_json::{Map, Value};

/// Puts the assignments over `base`. Below an object with named properties a dotted key goes down;
/// below a free-form map the value is text unless it is given by `:=`. A list is given by one `key=value`
/// for each item, or as JSON.
///
/// # Errors
/// What is wrong with an assignment, in a sentence.
pub(super) fn read<'a>(
    base: Map<String, Value>,
    assignments: impl Iterator<Item = &'a String>,
    schema: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let mut arguments = base;
    let mut seen: Vec<&str> = Vec::new();
    for assignment in assignments {
        let (key, value) = parse(assignment)?;
        let path: Vec<&str> = key.split('.').collect();
        let place = place_in(schema, &path);
        let repeated = seen.contains(&key);
        if repeated && !matches!(place, Place::List) {
            return Err(format!("{key} is given twice."));
        }
        seen.push(key);
        let value = match (value, place) {
            (Given::Json(value), _) => value,
            (Given::Text(text), Place::List) if !text.trim_start().starts_with('[') => {
                append(&mut arguments, &path, Value::String(text), repeated)?;
                continue;
            }
            // The registry reads text as number, boolean or object where the schema wants one.
            (Given::Text(text), _) => Value::String(text),
        };
        *slot(&mut arguments, &path)? = value;
    }
    Ok(arguments)
}

enum Given {
    Text(String),
    Json(Value),
}

fn parse(assignment: &str) -> Result<(&str, Given), String> {
    let wrong = || format!("{assignment:?}: expected key=value, key:=JSON or key=@file.");
    let (key, value) = assignment.split_once('=').ok_or_else(wrong)?;
    if let Some(key) = key.strip_suffix(':') {
        let value = serde_json::from_str(value)
            .map_err(|error| format!("{key}: {value:?} is not JSON: {error}."))?;
        return Ok((named(key).ok_or_else(wrong)?, Given::Json(value)));
    }
    let key = named(key).ok_or_else(wrong)?;
    match value.strip_prefix('@') {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => Ok((key, Given::Text(text))),
            Err(error) => Err(format!("{key}: {file}: {error}.")),
        },
        None => Ok((key, Given::Text(value.to_owned()))),
    }
}

fn named(key: &str) -> Option<&str> {
    (!key.split('.').any(str::is_empty)).then_some(key)
}

#[derive(PartialEq)]
enum Place {
    List,
    Other,
}

/// What the schema wants at a path, as far as it says.
fn place_in(schema: &Map<String, Value>, path: &[&str]) -> Place {
    let mut node = Some(schema);
    for part in path {
        let properties = node.and_then(|node| node.get("properties")).and_then(Value::as_object);
        node = properties.and_then(|properties| properties.get(*part)).and_then(Value::as_object);
    }
    match node.and_then(|node| node.get("type")).and_then(Value::as_str) {
        Some("array") => Place::List,
        _ => Place::Other,
    }
}

/// The place of a path, with the objects above it.
fn slot<'a>(arguments: &'a mut Map<String, Value>, path: &[&str]) -> Result<&'a mut Value, String> {
    let (last, above) = path.split_last().ok_or("an empty key")?;
    let mut map = arguments;
    for part in above {
        let entry = map.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        map = entry
            .as_object_mut()
            .ok_or_else(|| format!("{}: {part} is no object.", path.join(".")))?;
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
        place => *place = Value::Array(vec![item]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_all(assignments: &[&str]) -> Result<Value, String> {
        let schema = json!({"type": "object", "properties": {
            "name": {"type": "string"},
            "count": {"type": "integer"},
            "words": {"type": "array", "items": {"type": "string"}},
            "free": {"type": "object", "additionalProperties": true},
            "to": {"type": "object", "properties": {"words": {"type": "array"}}},
        }});
        let assignments: Vec<String> = assignments.iter().map(|a| (*a).to_owned()).collect();
        read(Map::new(), assignments.iter(), schema.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn values_are_read_by_what_is_wanted_in_their_place() {
        for (assignments, expected) in [
            (&["name=10"][..], json!({"name": "10"})),
            (&["name=a=b"], json!({"name": "a=b"})),
            (&["name="], json!({"name": ""})),
            (&["count=10"], json!({"count": "10"})),
            (&["words=a"], json!({"words": ["a"]})),
            (&["words=a", "words=b,c"], json!({"words": ["a", "b,c"]})),
            (&["words=[\"a\"]"], json!({"words": "[\"a\"]"})),
            (&["words:=[1]"], json!({"words": [1]})),
            (
                &["free.a=10", "free.b:=10", "free.c.d=x"],
                json!({"free": {"a": "10", "b": 10, "c": {"d": "x"}}}),
            ),
            (&["to.words=a", "to.words=b"], json!({"to": {"words": ["a", "b"]}})),
            (&["free:={\"a\":null}"], json!({"free": {"a": null}})),
        ] {
            assert_eq!(read_all(assignments), Ok(expected), "{assignments:?}");
        }
    }

    #[test]
    fn a_wrong_assignment_is_told() {
        for (assignments, part) in [
            (&["name"][..], "expected key=value"),
            (&["=x"], "expected key=value"),
            (&["a..b=x"], "expected key=value"),
            (&["name=a", "name=b"], "given twice"),
            (&["free:={"], "is not JSON"),
            (&["name=a", "name.x=b"], "is no object"),
            (&["name=@/no/such/file"], "/no/such/file"),
        ] {
            let error = read_all(assignments).unwrap_err();
            assert!(error.contains(part), "{assignments:?}: {error}");
        }
    }
}
