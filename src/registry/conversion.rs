//! Converts single values to the types of their schemas: text to what it stands for, integral floats to integers, what
//! surrounds a UUID to the UUID.

use chrono::DateTime;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::{id_text, schema};
use crate::polytomic::{mark, marked_number, round};

/// Largest magnitude up to which every integer is exact as a double: 2^53.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Converts a value to the type of its schema, if that is safe.
pub(super) fn convert(value: &mut Value, schema: &Map<String, Value>) {
    let type_name = keyword(schema, "type");
    let is_uuid = keyword(schema, "format") == schema::UUID;
    // Kept as it was passed, so that an error shows its digits.
    let passed = value.as_str().and_then(marked_number).map(|_| value.clone());
    round(value);
    if let Value::String(text) = &*value {
        let converted = match text.trim() {
            "" if type_name != "string" || is_uuid => Some("".into()),
            _ if is_uuid && !has_format(text, schema::UUID) => {
                id_text::read(text, schema).map(|uuid| uuid.to_string().into())
            }
            _ => parse_text_as(type_name, text),
        };
        if let Some(converted) = converted {
            *value = converted;
        }
    }
    if type_name == "integer"
        && let Some(float) = value.as_f64().filter(|_| value.is_f64())
        && let Some(integer) = exact_integer(float)
    {
        *value = integer;
    }
    if let Some(passed) = passed.filter(|_| !has_type(value, type_name)) {
        *value = passed;
    }
}

/// The value that a text stands for where another type is expected.
fn parse_text_as(type_name: &str, text: &str) -> Option<Value> {
    let parsed = match type_name {
        "object" | "array" | "integer" | "number" | "boolean" => {
            let mut parsed = serde_json::from_str(&mark(text.trim())).ok()?;
            round(&mut parsed);
            parsed
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

/// Whether a value has a type of JSON Schema.
pub(super) fn has_type(value: &Value, type_name: &str) -> bool {
    match type_name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        // A number that a double does not hold is kept as a marked text.
        "string" => value.as_str().is_some_and(|text| marked_number(text).is_none()),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

/// Whether a text has a format of `schema::CHECKED_FORMATS`; any other format is only a description.
pub(super) fn has_format(text: &str, format: &str) -> bool {
    match format {
        schema::UUID => Uuid::parse_str(text).is_ok(),
        schema::KEY => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }
        schema::PATH_SEGMENT => !matches!(text, "" | "." | ".."),
        schema::DATE_TIME => DateTime::parse_from_rfc3339(text).is_ok(),
        _ => true,
    }
}

/// A keyword of a schema whose value is a text; empty if it is absent.
pub(super) fn keyword<'a>(schema: &'a Map<String, Value>, name: &str) -> &'a str {
    schema.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn safe_values_are_converted() {
        for (label, type_name, value, expected) in [
            ("object as text", "object", json!("{\"a\": 1}"), json!({"a": 1})),
            ("list as text", "array", json!("[\"a\"]"), json!(["a"])),
            ("integer as text", "integer", json!("10"), json!(10)),
            ("integral float", "integer", json!(10.0), json!(10)),
            ("integral float as text", "integer", json!("10.0"), json!(10)),
            ("number as text", "number", json!("0.5"), json!(0.5)),
            ("boolean as text", "boolean", json!("true"), json!(true)),
            ("text stays text", "string", json!("never"), json!("never")),
        ] {
            let schema = Map::from_iter([("type".to_owned(), json!(type_name))]);
            let mut converted = value;
            convert(&mut converted, &schema);
            assert_eq!(converted, expected, "{label}");
        }
    }
}
