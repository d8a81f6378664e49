//! From the caller's JSON to a checked type, in two steps.
//!
//! One walk led by the cleaned schema mends what is safe and names what is wrong; then serde reads,
//! which is left with formats such as UUID. What is advertised and what is enforced are one thing.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::{ToolError, schema};

/// Echoed text of a caller's is cut here.
const SHOWN_CHARACTERS: usize = 80;

/// Mends `arguments` in place: JSON text where an object or list is wanted is parsed, `"10"` and
/// `"true"` become number and boolean, an integral float an integer, null for an optional property is
/// taken off.
///
/// # Errors
/// `invalid_argument` that names the first wrong argument by its path, what was expected and what came.
pub(super) fn mend(
    arguments: &mut Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<(), ToolError> {
    object(arguments, schema, "")
}

/// Reads mended arguments into their type.
///
/// # Errors
/// `invalid_argument` with the place and what was expected there.
pub(super) fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let (place, inner) = (error.path().to_string(), error.inner().to_string());
        // Arguments that are read by hand say the place themselves.
        match inner.split_once(": ").filter(|_| place == ".") {
            Some((place, _)) => ToolError::invalid_argument(place, format!("{inner}.")),
            None => ToolError::invalid_argument(&place, format!("{place}: {inner}.")),
        }
    })
}

fn value(value: &mut Value, schema: &Map<String, Value>, path: &str) -> Result<(), ToolError> {
    let kind = text_of(schema, "type");
    if let Value::String(text) = &*value
        && let Some(meant) = meant(text, kind)
    {
        *value = meant;
    }
    if kind == "integer"
        && let Some(float) = value.as_f64().filter(|_| value.is_f64())
        && let Some(integer) = integral(float)
    {
        *value = integer;
    }
    if !fits(value, kind) {
        return Err(wrong(path, schema, &shown(value)));
    }
    if let Some(actual) = outside(value, schema) {
        return Err(wrong(path, schema, &actual));
    }
    match value {
        Value::Object(map) => object(map, schema, path),
        Value::Array(items) => match schema.get("items") {
            Some(Value::Object(schema)) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self::value(item, schema, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn object(
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
    let others = schema.get("additionalProperties");
    for (name, value) in map.iter_mut() {
        let place = || below(path, name);
        match (properties.get(name), others) {
            (Some(Value::Object(schema)), _) | (None, Some(Value::Object(schema))) => {
                self::value(value, schema, &place())?;
            }
            (None, Some(Value::Bool(false))) => return Err(unknown(&place(), name, properties)),
            _ => {}
        }
    }
    for (name, schema) in properties {
        if required.contains(&name.as_str()) && !map.contains_key(name) {
            let words = schema.as_object().map(words).unwrap_or_default();
            let place = below(path, name);
            return Err(ToolError::invalid_argument(
                &place,
                format!("Argument \"{place}\" is missing: expected {words}."),
            ));
        }
    }
    Ok(())
}

/// What a text stands for where something else is expected.
fn meant(text: &str, kind: &str) -> Option<Value> {
    let parsed = match kind {
        "object" | "array" | "integer" | "number" | "boolean" => {
            serde_json::from_str::<Value>(text.trim()).ok()?
        }
        _ => return None,
    };
    let parsed = match (kind, parsed.as_f64()) {
        ("integer", Some(float)) if parsed.is_f64() => integral(float)?,
        _ => parsed,
    };
    fits(&parsed, kind).then_some(parsed)
}

fn integral(float: f64) -> Option<Value> {
    // Beyond 2^53 a float no longer says which integer was meant.
    let exact = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
    exact.then(|| Value::Number(Number::from(float as i64)))
}

fn fits(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

/// What breaks a bound of the schema, in words.
fn outside(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let beyond = |n: f64, low: &str, high: &str| {
        bound(low).is_some_and(|low| n < low) || bound(high).is_some_and(|high| n > high)
    };
    let counted = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    match value {
        Value::Number(n) if beyond(n.as_f64()?, "minimum", "maximum") => Some(n.to_string()),
        Value::String(s) if beyond(counted(s.chars().count()), "minLength", "maxLength") => {
            Some(format!("{} characters", s.chars().count()))
        }
        Value::Array(a) if beyond(counted(a.len()), "minItems", "maxItems") => {
            Some(format!("{} items", a.len()))
        }
        _ => {
            let words = schema.get("enum").and_then(Value::as_array)?;
            (!words.contains(value)).then(|| shown(value))
        }
    }
}

fn wrong(path: &str, schema: &Map<String, Value>, actual: &str) -> ToolError {
    let message = format!("{path}: expected {}, got {actual}.", words(schema));
    ToolError::invalid_argument(path, message)
}

fn unknown(place: &str, name: &str, properties: &Map<String, Value>) -> ToolError {
    let message = match nearest(name, properties.keys().map(String::as_str)) {
        Some(known) => format!("Unknown argument \"{place}\"; did you mean \"{known}\"?"),
        None if properties.is_empty() => {
            format!("Unknown argument \"{place}\"; none is expected here.")
        }
        None => {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let is_free = |schema: &Value| schema.get("additionalProperties") == Some(&true.into());
            let free = properties.iter().find(|(_, schema)| is_free(schema));
            let or_below = free.map(|(name, _)| format!("; a key of \"{name}\" goes into that"));
            let or_below = or_below.unwrap_or_default();
            format!("Unknown argument \"{place}\"; expected {}{or_below}.", known.join(", "))
        }
    };
    ToolError::invalid_argument(place, message)
}

/// The known name that is meant by one that is not known, where one is near enough.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = shortened(name);
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, &name), known));
    let (distance, known) = distances.min()?;
    (distance <= 1 + known.len().min(name.len()) / 3).then_some(known)
}

/// What the schema expects: "an integer from 0 to 600", and the description's example.
fn words(schema: &Map<String, Value>) -> String {
    let mut text = match text_of(schema, "type") {
        kind @ ("object" | "array" | "integer") => format!("an {kind}"),
        kind => format!("a {kind}"),
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

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) => {
            format!("the string {:?}", shortened(text))
        }
        Value::Bool(_) => format!("the boolean {value}"),
        Value::Number(_) => format!("the number {value}"),
    }
}

fn below(path: &str, name: &str) -> String {
    let name = shortened(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

fn text_of<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Map<String, Value> {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5, "description": "Name, e.g. `Users`."},
                "count": {"type": "integer", "minimum": 0, "maximum": 600},
                "ratio": {"type": "number"},
                "flag": {"type": "boolean"},
                "words": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "free": {"type": "object", "additionalProperties": true},
                "texts": {"type": "object", "additionalProperties": {"type": "string"}},
                "often": {"type": "string", "enum": ["never", "daily"]},
                "to": {"type": "object", "additionalProperties": false, "required": ["field"],
                       "properties": {"field": {"type": "string"}}},
            }
        });
        schema.as_object().cloned().unwrap()
    }

    fn mended(given: Value) -> Result<Value, String> {
        let mut map = given.as_object().cloned().unwrap();
        mend(&mut map, &schema()).map(|()| Value::Object(map)).map_err(|error| error.message)
    }

    #[test]
    fn what_is_safe_is_mended() {
        for (label, given, expected) in [
            ("object as text", json!({"free": "{\"a\": null}"}), json!({"free": {"a": null}})),
            ("list as text", json!({"words": "[\"a\"]"}), json!({"words": ["a"]})),
            ("integer as text", json!({"count": "10"}), json!({"count": 10})),
            ("integral float", json!({"count": 10.0}), json!({"count": 10})),
            ("integral float as text", json!({"count": "10.0"}), json!({"count": 10})),
            ("number as text", json!({"ratio": "0.5"}), json!({"ratio": 0.5})),
            ("boolean as text", json!({"flag": "true"}), json!({"flag": true})),
            ("null is absent", json!({"flag": null, "count": null}), json!({})),
            (
                "null below a free map stays",
                json!({"free": {"a": null}}),
                json!({"free": {"a": null}}),
            ),
            ("text stays text", json!({"often": "never"}), json!({"often": "never"})),
        ] {
            let with_name = |mut value: Value| {
                value["name"] = json!("Users");
                value
            };
            assert_eq!(mended(with_name(given)), Ok(with_name(expected)), "{label}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_place_expectation_and_value() {
        for (given, expected) in [
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
                json!({"name": "a", "words": ["a", 1]}),
                "words[1]: expected a string, got the number 1.",
            ),
            (
                json!({"name": "a", "words": ["a", "b", "c"]}),
                "words: expected an array of at most 2 items, got 3 items.",
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
                "Unknown argument \"zzzzzzzz\"; expected name, count, ratio, flag, words, free, texts, often, to; a key of \"free\" goes into that.",
            ),
        ] {
            assert_eq!(mended(given.clone()), Err(expected.to_owned()), "{given}");
        }
    }
}
