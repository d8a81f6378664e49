//! Coerces and validates arguments against the advertised schema, then deserializes them.
//!
//! One walk over the cleaned schema coerces what is safe to coerce and names what is invalid; serde is left with
//! formats such as UUID. What is advertised and what is enforced cannot differ.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::error::ToolError;
use super::schema;

/// Maximum characters of the caller's text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;
/// Largest magnitude up to which every integer is exact as a double: 2^53.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Coerces `arguments` in place: JSON text where an object or list is expected is parsed, `"10"` and `"true"`
/// become a number and a boolean, an integral float becomes an integer, and null for an optional property is
/// removed.
///
/// # Errors
/// `invalid_argument` with the path of the first invalid argument, what was expected and what was passed.
pub(crate) fn coerce(
    arguments: &mut Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<(), ToolError> {
    coerce_object(arguments, schema, "")
}

/// Deserializes coerced arguments.
///
/// # Errors
/// `invalid_argument` with the path and what was expected there.
pub(crate) fn deserialize<T: DeserializeOwned>(
    arguments: Map<String, Value>,
) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        // A hand-written Deserialize reports the path in its message.
        match message.split_once(": ").filter(|_| path == ".") {
            Some((path, _)) => ToolError::invalid_argument(path, format!("{message}.")),
            None => ToolError::invalid_argument(&path, format!("{path}: {message}.")),
        }
    })
}

fn coerce_value(
    value: &mut Value,
    schema: &Map<String, Value>,
    path: &str,
) -> Result<(), ToolError> {
    let type_name = keyword(schema, "type");
    if let Value::String(text) = &*value
        && let Some(parsed) = parse_text_as(type_name, text)
    {
        *value = parsed;
    }
    if type_name == "integer"
        && let Some(float) = value.as_f64().filter(|_| value.is_f64())
        && let Some(integer) = exact_integer(float)
    {
        *value = integer;
    }
    if !has_type(value, type_name) {
        return Err(invalid(path, schema, &describe(value)));
    }
    if let Some(violation) = violation(value, schema) {
        return Err(invalid(path, schema, &violation));
    }
    match value {
        Value::Object(map) => coerce_object(map, schema, path),
        Value::Array(items) => match schema.get("items") {
            Some(Value::Object(schema)) => {
                for (i, item) in items.iter_mut().enumerate() {
                    coerce_value(item, schema, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn coerce_object(
    map: &mut Map<String, Value>,
    schema: &Map<String, Value>,
    path: &str,
) -> Result<(), ToolError> {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> = schema::properties(schema)
        .filter_map(|(name, _, is_required)| is_required.then_some(name.as_str()))
        .collect();
    map.retain(|name, value| {
        !value.is_null()
            || required.contains(&name.as_str())
            || !properties.contains_key(name.as_str())
    });
    let additional = schema.get("additionalProperties");
    for (name, value) in map.iter_mut() {
        let path = || join(path, name);
        match (properties.get(name), additional) {
            (Some(Value::Object(schema)), _) | (None, Some(Value::Object(schema))) => {
                coerce_value(value, schema, &path())?;
            }
            (None, None) if schema::is_closed(schema) => {
                return Err(unknown(&path(), name, properties));
            }
            _ => {}
        }
    }
    for (name, schema) in properties {
        if required.contains(&name.as_str()) && !map.contains_key(name) {
            let expected = schema.as_object().map(expectation).unwrap_or_default();
            let path = join(path, name);
            let message = format!("Argument \"{path}\" is missing: expected {expected}.");
            return Err(ToolError::invalid_argument(&path, message));
        }
    }
    Ok(())
}

/// The value that a text stands for where another type is expected.
fn parse_text_as(type_name: &str, text: &str) -> Option<Value> {
    let parsed = match type_name {
        "object" | "array" | "integer" | "number" | "boolean" => {
            serde_json::from_str::<Value>(text.trim()).ok()?
        }
        _ => return None,
    };
    let parsed = match (type_name, parsed.as_f64()) {
        ("integer", Some(float)) if parsed.is_f64() => exact_integer(float)?,
        _ => parsed,
    };
    has_type(&parsed, type_name).then_some(parsed)
}

/// An integral float as an integer, if it identifies one.
fn exact_integer(float: f64) -> Option<Value> {
    let is_exact = float.fract() == 0.0 && float.abs() <= MAX_EXACT_INTEGER;
    #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
    is_exact.then(|| Value::Number(Number::from(float as i64)))
}

fn has_type(value: &Value, type_name: &str) -> bool {
    match type_name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

/// Describes a value that violates a bound or enumeration of the schema.
fn violation(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let is_outside = |n: f64, minimum: &str, maximum: &str| {
        bound(minimum).is_some_and(|min| n < min) || bound(maximum).is_some_and(|max| n > max)
    };
    let as_f64 = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    match value {
        Value::Number(n) if is_outside(n.as_f64()?, "minimum", "maximum") => Some(n.to_string()),
        Value::String(s) if is_outside(as_f64(s.chars().count()), "minLength", "maxLength") => {
            Some(format!("{} characters", s.chars().count()))
        }
        Value::Array(a) if is_outside(as_f64(a.len()), "minItems", "maxItems") => {
            Some(format!("{} items", a.len()))
        }
        _ => {
            let choices = schema.get("enum").and_then(Value::as_array)?;
            (!choices.contains(value)).then(|| describe(value))
        }
    }
}

fn invalid(path: &str, schema: &Map<String, Value>, got: &str) -> ToolError {
    let message = format!("{path}: expected {}, got {got}.", expectation(schema));
    ToolError::invalid_argument(path, message)
}

fn unknown(path: &str, name: &str, properties: &Map<String, Value>) -> ToolError {
    let message = match nearest(name, properties.keys().map(String::as_str)) {
        Some(known) => format!("Unknown argument \"{path}\"; did you mean \"{known}\"?"),
        None if properties.is_empty() => {
            format!("Unknown argument \"{path}\"; no argument is expected here.")
        }
        None => {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let is_free = |schema: &Map<String, Value>| {
                keyword(schema, "type") == "object" && !schema::is_closed(schema)
            };
            let free =
                properties.iter().find(|(_, schema)| schema.as_object().is_some_and(is_free));
            let free = free.map(|(name, _)| format!("; properties of \"{name}\" go inside it"));
            let free = free.unwrap_or_default();
            format!("Unknown argument \"{path}\"; expected {}{free}.", known.join(", "))
        }
    };
    ToolError::invalid_argument(path, message)
}

/// The known name most similar to an unknown one, if one is similar enough.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = shorten(name);
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, &name), known));
    let (distance, known) = distances.min()?;
    (distance <= 1 + known.len().min(name.len()) / 3).then_some(known)
}

/// What the schema expects, with the example of its description: "an integer from 0 to 600, e.g. 30".
fn expectation(schema: &Map<String, Value>) -> String {
    let mut text = match keyword(schema, "type") {
        type_name @ ("object" | "array" | "integer") => format!("an {type_name}"),
        type_name => format!("a {type_name}"),
    };
    if let Some(bounds) = schema::bounds(schema) {
        let is_range = schema.contains_key("minimum") && schema.contains_key("maximum");
        text += &format!(" {} {bounds}", if is_range { "from" } else { "of" });
    }
    if let Some(choices) = schema::choices(schema) {
        text += &format!(", one of {choices}");
    }
    if let Some(example) = schema::example(schema) {
        text += &format!(", e.g. {example}");
    }
    text
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) => format!("the string {:?}", shorten(text)),
        Value::Bool(_) => format!("the boolean {value}"),
        Value::Number(_) => format!("the number {value}"),
    }
}

fn join(path: &str, name: &str) -> String {
    let name = shorten(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARACTERS).collect()
}

fn keyword<'a>(schema: &'a Map<String, Value>, name: &str) -> &'a str {
    schema.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Map<String, Value> {
        let schema = json!({
            "type": "object", "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5, "description": "Name, e.g. `Users`."},
                "count": {"type": "integer", "minimum": 0, "maximum": 600},
                "ratio": {"type": "number"},
                "flag": {"type": "boolean"},
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "free": {"type": "object"},
                "texts": {"type": "object", "additionalProperties": {"type": "string"}},
                "often": {"type": "string", "enum": ["never", "daily"]},
                "to": {"type": "object", "required": ["field"],
                       "properties": {"field": {"type": "string"}}},
            }
        });
        schema.as_object().cloned().unwrap()
    }

    fn coerced(arguments: Value) -> Result<Value, String> {
        let mut map = arguments.as_object().cloned().unwrap();
        coerce(&mut map, &schema()).map(|()| Value::Object(map)).map_err(|error| error.message)
    }

    #[test]
    fn safe_values_are_coerced() {
        for (label, arguments, expected) in [
            ("object as text", json!({"free": "{\"a\": null}"}), json!({"free": {"a": null}})),
            ("list as text", json!({"tags": "[\"a\"]"}), json!({"tags": ["a"]})),
            ("integer as text", json!({"count": "10"}), json!({"count": 10})),
            ("integral float", json!({"count": 10.0}), json!({"count": 10})),
            ("integral float as text", json!({"count": "10.0"}), json!({"count": 10})),
            ("number as text", json!({"ratio": "0.5"}), json!({"ratio": 0.5})),
            ("boolean as text", json!({"flag": "true"}), json!({"flag": true})),
            ("null is absent", json!({"flag": null, "count": null}), json!({})),
            (
                "null inside a free map stays",
                json!({"free": {"a": null}}),
                json!({"free": {"a": null}}),
            ),
            ("text stays text", json!({"often": "never"}), json!({"often": "never"})),
        ] {
            let with_name = |mut value: Value| {
                value["name"] = json!("Users");
                value
            };
            assert_eq!(coerced(with_name(arguments)), Ok(with_name(expected)), "{label}");
        }
    }

    #[test]
    fn an_invalid_argument_is_named_with_path_expectation_and_value() {
        for (arguments, expected) in [
            (
                json!({}),
                "Argument \"name\" is missing: expected a string of 1 to 5 characters, e.g. Users.",
            ),
            (
                json!({"name": null}),
                "name: expected a string of 1 to 5 characters, e.g. Users, got null.",
            ),
            (
                json!({"name": ""}),
                "name: expected a string of 1 to 5 characters, e.g. Users, got 0 characters.",
            ),
            (
                json!({"name": 5}),
                "name: expected a string of 1 to 5 characters, e.g. Users, got the number 5.",
            ),
            (
                json!({"name": "a", "count": "soon"}),
                "count: expected an integer from 0 to 600, got the string \"soon\".",
            ),
            (
                json!({"name": "a", "count": 601}),
                "count: expected an integer from 0 to 600, got 601.",
            ),
            (
                json!({"name": "a", "count": 1.5}),
                "count: expected an integer from 0 to 600, got the number 1.5.",
            ),
            (
                json!({"name": "a", "flag": "yes"}),
                "flag: expected a boolean, got the string \"yes\".",
            ),
            (
                json!({"name": "a", "tags": ["a", 1]}),
                "tags[1]: expected a string, got the number 1.",
            ),
            (
                json!({"name": "a", "tags": ["a", "b", "c"]}),
                "tags: expected an array of at most 2 items, got 3 items.",
            ),
            (
                json!({"name": "a", "texts": {"b": 1}}),
                "texts.b: expected a string, got the number 1.",
            ),
            (
                json!({"name": "a", "often": "weekly"}),
                "often: expected a string, one of \"never\", \"daily\", got the string \"weekly\".",
            ),
            (
                json!({"name": "a", "to": {"fild": "x"}}),
                "Unknown argument \"to.fild\"; did you mean \"field\"?",
            ),
            (
                json!({"name": "a", "to": {}}),
                "Argument \"to.field\" is missing: expected a string.",
            ),
            (json!({"nmae": "a"}), "Unknown argument \"nmae\"; did you mean \"name\"?"),
            (
                json!({"name": "a", "zzzzzzzz": 1}),
                "Unknown argument \"zzzzzzzz\"; expected name, count, ratio, flag, tags, free, texts, often, to; properties of \"free\" go inside it.",
            ),
        ] {
            assert_eq!(coerced(arguments.clone()), Err(expected.to_owned()), "{arguments}");
        }
    }
}
