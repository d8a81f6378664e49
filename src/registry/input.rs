//! Coerces and validates arguments against the schema of the tool, then deserializes them.
//!
//! One walk coerces what is safe to coerce and collects what is invalid, so that a caller learns of all of it at
//! once. The advertised schema is this one in fewer words, see `schema::advertised`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::conversion::{convert, has_format, has_type, keyword};
use super::error::ToolError;
use super::problems::{Problem, Problems, describe, join, likely_property};
use super::schema;
use crate::polytomic::unmarked;

/// Coerces `arguments` in place, and validates them. JSON text where an object or list is expected is parsed, `"10"`
/// and `"true"` become a number and a boolean, an integral float becomes an integer, a UUID is taken out of what
/// surrounds it, and null or an empty value for an optional property is removed: clients fill arguments that they do
/// not use.
/// Returns the paths of the empty values, also of those that stay, see [`is_absent`].
///
/// # Errors
/// `invalid_argument` with the path of the first invalid argument, what was expected and what was passed, and the
/// same of the others in `details.problems`.
pub(crate) fn coerce_and_validate(
    arguments: &mut Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<Vec<String>, ToolError> {
    let mut findings = Findings::default();
    coerce_object(arguments, schema, "", &mut findings);
    findings.problems.into_result()?;
    Ok(findings.empty)
}

/// The same for what is sent to the API as it is, by a schema of its contract: empty values stay, null is valid only where the
/// schema has `nullable` or no type, and a value may be valid by one of the schemas of `anyOf`.
///
/// # Errors
/// As [`coerce_and_validate`].
pub(crate) fn coerce_and_validate_as_sent(
    arguments: &mut Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<(), ToolError> {
    let mut findings = Findings { keeps_empty_values: true, ..Findings::default() };
    coerce_object(arguments, schema, "", &mut findings);
    findings.problems.into_result()
}

/// What a walk over the arguments finds.
#[derive(Default)]
struct Findings {
    problems: Problems,
    /// Paths of empty values.
    empty: Vec<String>,
    keeps_empty_values: bool,
}

/// Deserializes coerced arguments.
///
/// # Errors
/// `invalid_argument` with the path and what was expected there.
pub(crate) fn deserialize<T: DeserializeOwned>(
    arguments: Map<String, Value>,
) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| not_readable(&error))
}

fn not_readable(error: &serde_path_to_error::Error<serde_json::Error>) -> ToolError {
    let (path, message) = (error.path().to_string(), error.inner().to_string());
    // A hand-written Deserialize reports the path in its message.
    match message.split_once(": ").filter(|_| path == ".") {
        Some((path, _)) => ToolError::invalid_argument(path, format!("{message}.")),
        None => ToolError::invalid_argument(&path, format!("{path}: {message}.")),
    }
}

/// Whether a value is null and may be: by `nullable`, or since the schema says nothing about types.
fn is_allowed_null(value: &Value, schema: &Map<String, Value>) -> bool {
    let has_types = schema.contains_key("type") || schema.contains_key("anyOf");
    value.is_null() && (!has_types || schema.get("nullable") == Some(&Value::Bool(true)))
}

/// Validates a value by the first of several schemas by which it is valid as it is, or else converted. If there is none, the
/// problems are those by the only schema of its type, if there is one.
fn validate_any_of(
    value: &mut Value,
    schema: &Map<String, Value>,
    alternatives: &[Value],
    path: &str,
    findings: &mut Findings,
) {
    let alternatives = || alternatives.iter().filter_map(Value::as_object);
    let has_type_of =
        |value: &Value, schema: &&Map<String, Value>| has_type(value, keyword(schema, "type"));
    let of_type = || alternatives().filter(|schema| has_type_of(value, schema));
    let others = alternatives().filter(|schema| !has_type_of(value, schema));
    let mut valid = None;
    for schema in of_type().chain(others) {
        let mut candidate = value.clone();
        convert(&mut candidate, schema);
        let mut trial =
            Findings { keeps_empty_values: findings.keeps_empty_values, ..Findings::default() };
        validate(&mut candidate, schema, path, &mut trial);
        if trial.problems.is_empty() {
            valid = Some(candidate);
            break;
        }
    }
    let mut of_type = of_type();
    let only = of_type.next().filter(|_| of_type.next().is_none());
    match (valid, only) {
        (Some(valid), _) => *value = valid,
        (None, Some(only)) if !value.is_string() => validate(value, only, path, findings),
        _ => findings.problems.add(|| Problem::invalid(path, schema, value, describe(value))),
    }
}

/// Validates a converted value, and coerces what it contains.
fn validate(value: &mut Value, schema: &Map<String, Value>, path: &str, findings: &mut Findings) {
    if findings.keeps_empty_values && is_allowed_null(value, schema) {
        return;
    }
    if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
        return validate_any_of(value, schema, alternatives, path, findings);
    }
    let problems = &mut findings.problems;
    if !has_type(value, keyword(schema, "type")) {
        return problems.add(|| Problem::invalid(path, schema, value, describe(value)));
    }
    if let Some(violation) = violation(value, schema) {
        return problems.add(|| Problem::invalid(path, schema, value, violation));
    }
    match (value, schema.get("items")) {
        (Value::Object(map), _) => coerce_object(map, schema, path, findings),
        (Value::Array(items), Some(Value::Object(schema))) => {
            for (i, item) in items.iter_mut().enumerate() {
                convert(item, schema);
                validate(item, schema, &format!("{path}[{i}]"), findings);
            }
        }
        _ => {}
    }
}

fn coerce_object(
    map: &mut Map<String, Value>,
    schema: &Map<String, Value>,
    path: &str,
    findings: &mut Findings,
) {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> = schema::properties(schema)
        .filter_map(|(name, _, is_required)| is_required.then_some(name.as_str()))
        .collect();
    map.retain(|name, value| {
        let Some(Value::Object(schema)) = properties.get(name) else { return true };
        convert(value, schema);
        if required.contains(&name.as_str()) || findings.keeps_empty_values || !is_empty(value) {
            return true;
        }
        if !value.is_null() {
            findings.empty.push(join(path, name));
        }
        !is_absent(value, schema, !path.is_empty())
    });
    let additional = schema.get("additionalProperties");
    let is_unknown =
        |name: &String| additional == Some(&false.into()) && !properties.contains_key(name);
    let likely: Vec<(String, Option<&str>)> = map
        .keys()
        .filter(|name| is_unknown(name))
        .take(findings.problems.remaining())
        .map(|name| (name.clone(), likely_property(name, map, schema)))
        .collect();
    for (name, value) in map.iter_mut() {
        match (properties.get(name), additional) {
            (Some(Value::Object(schema)), _) => {
                validate(value, schema, &join(path, name), findings);
            }
            (None, Some(Value::Object(schema))) => {
                convert(value, schema);
                validate(value, schema, &join(path, name), findings);
            }
            (None, Some(Value::Bool(false))) => {
                let likely = likely.iter().find(|(unknown, _)| unknown == name);
                let likely = likely.and_then(|(_, likely)| *likely);
                findings.problems.add(|| Problem::unknown(join(path, name), likely, properties));
            }
            _ => {}
        }
    }
    for (name, schema) in properties {
        if required.contains(&name.as_str()) && !map.contains_key(name) {
            let is_misnamed = likely.iter().any(|(_, likely)| *likely == Some(name));
            findings.problems.add(|| Problem::missing(join(path, name), schema, is_misnamed));
        }
    }
}

/// Whether a value holds nothing: null, an empty or blank text, list or object, or one of nothing but such values. Null in a
/// list is a mistake rather than filling.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(|item| !item.is_null() && is_empty(item)),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether an empty value of an optional property counts as not passed. A list or object inside another argument
/// stays, since a definition may contain it: an enricher without fields differs from one with all of them. So does
/// what may be empty.
fn is_absent(value: &Value, schema: &Map<String, Value>, is_nested: bool) -> bool {
    let may_be_empty = keyword(schema, "format") == schema::MAY_BE_EMPTY;
    let has_type = has_type(value, keyword(schema, "type"));
    match value {
        Value::Array(_) | Value::Object(_) => !(has_type && (is_nested || may_be_empty)),
        Value::String(_) => !(has_type && may_be_empty),
        _ => true,
    }
}

/// Describes a value that violates a bound, format or enumeration of the schema.
fn violation(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let is_outside = |n: f64, minimum: &str, maximum: &str| {
        bound(minimum).is_some_and(|min| n < min) || bound(maximum).is_some_and(|max| n > max)
    };
    let as_f64 = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let is_blank = |text: &str| !text.is_empty() && text.trim().is_empty();
    match value {
        Value::String(s) if bound("minLength").is_some() && is_blank(s) => {
            Some("only blanks".to_owned())
        }
        Value::Number(n) if is_outside(n.as_f64()?, "minimum", "maximum") => Some(n.to_string()),
        Value::String(s)
            if is_outside(as_f64(unmarked(s).chars().count()), "minLength", "maxLength") =>
        {
            Some(format!("{} characters", unmarked(s).chars().count()))
        }
        Value::String(s) if !has_format(s, keyword(schema, "format")) => Some(describe(value)),
        Value::Array(a) if is_outside(as_f64(a.len()), "minItems", "maxItems") => {
            Some(format!("{} items", a.len()))
        }
        _ => {
            let choices = schema.get("enum").and_then(Value::as_array)?;
            (!choices.contains(value)).then(|| describe(value))
        }
    }
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
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
                "free": {"type": "object", "additionalProperties": true},
                "texts": {"type": "object", "additionalProperties": {"type": "string"}},
                "often": {"type": "string", "enum": ["never", "daily"]},
                "to": {"type": "object", "additionalProperties": false, "required": ["field"],
                       "properties": {"field": {"type": "string"}, "note": {"type": "string", "format": "may-be-empty"},
                                      "more": {"type": "array", "items": {"type": "string"}},
                                      "id": {"type": "string", "format": "uuid"}}},
                "id": {"type": "string", "format": "uuid", "description": "A UUID from `list_models`."},
            }
        });
        schema.as_object().cloned().unwrap()
    }

    fn coerced(arguments: Value) -> Result<Value, String> {
        let mut map = arguments.as_object().cloned().unwrap();
        coerce_and_validate(&mut map, &schema())
            .map(|_| Value::Object(map))
            .map_err(|error| error.message)
    }

    #[test]
    fn empty_values_of_optional_properties_are_reported_and_removed() {
        let fields = |value: Value| json!({"to": {"field": "x", "more": value}});
        for (arguments, paths, kept) in [
            (
                json!({"count": "", "flag": "", "often": "", "id": ""}),
                "count flag often id",
                json!({}),
            ),
            (json!({"tags": [], "free": {}, "to": {}}), "tags free to", json!({})),
            (json!({"tags": {}, "free": [], "id": [], "flag": {}}), "tags free id flag", json!({})),
            (
                json!({"tags": "[]", "free": " {} ", "count": " ", "id": "\t"}),
                "tags free count id",
                json!({}),
            ),
            (json!({"tags": ["", ""], "texts": {"a": "", "b": [{}]}}), "tags texts", json!({})),
            (json!({"to": {"field": "", "more": [""], "id": null}}), "to", json!({})),
            (json!({"flag": null, "tags": null}), "", json!({})),
            (json!({"count": 0, "flag": false}), "", json!({"count": 0, "flag": false})),
            (fields(json!("")), "to.more", json!({"to": {"field": "x"}})),
            (fields(json!({})), "to.more", json!({"to": {"field": "x"}})),
            // What a definition may contain stays.
            (fields(json!([])), "to.more", fields(json!([]))),
            (
                json!({"to": {"field": "x", "note": "", "id": " "}}),
                "to.note to.id",
                json!({"to": {"field": "x", "note": ""}}),
            ),
            (json!({"free": {"a": "", "b": 1}}), "", json!({"free": {"a": "", "b": 1}})),
            (json!({"free": {"a": null, "b": 1}}), "", json!({"free": {"a": null, "b": 1}})),
        ] {
            let mut map = arguments.as_object().cloned().unwrap();
            map.insert("name".to_owned(), json!("Users"));
            let empty = coerce_and_validate(&mut map, &schema()).unwrap();
            assert_eq!(empty.join(" "), paths, "{arguments}");
            assert_eq!(map.shift_remove("name"), Some(json!("Users")), "{arguments}");
            assert_eq!(Value::Object(map), kept, "{arguments}");
        }
    }

    #[test]
    fn another_name_of_an_argument_is_recognized() {
        let id = |list: &str| {
            let description = format!("A UUID from `{list}`.");
            json!({"type": "string", "format": "uuid", "description": description})
        };
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["model_id"],
            "properties": {"model_id": id("list_models"), "connection_id": id("list_connections"),
                           "expected_version": {"type": "integer"}, "name": {"type": "string"}},
        });
        for (name, expected) in [
            ("id", Some("model_id")),
            ("ID", Some("model_id")),
            ("uuid", Some("model_id")),
            ("model", Some("model_id")),
            ("modelId", Some("model_id")),
            ("model-id", Some("model_id")),
            ("connection", Some("connection_id")),
            ("version", Some("expected_version")),
            ("nmae", Some("name")),
            ("something_else", None),
        ] {
            let mut map = Map::from_iter([(name.to_owned(), json!("x"))]);
            let error = super::coerce_and_validate(&mut map, schema.as_object().unwrap());
            let error = error.unwrap_err();
            let likely = expected.map(|expected| format!("did you mean \"{expected}\"?"));
            assert_eq!(error.message.contains("did you mean"), likely.is_some(), "{error:?}");
            assert!(error.message.contains(&likely.unwrap_or_default()), "{error:?}");
            // A caller that has the id needs no list.
            assert_eq!(
                !error.hint.contains("list_models"),
                expected == Some("model_id"),
                "{error:?}"
            );
        }
        let model_id = json!("248df4b7-aa70-47b8-a036-33ac447e668d");
        let mut both =
            Map::from_iter([("id".to_owned(), json!("x")), ("model_id".to_owned(), model_id)]);
        let error = super::coerce_and_validate(&mut both, schema.as_object().unwrap()).unwrap_err();
        assert!(!error.message.contains("did you mean"), "{error:?}");
    }

    #[test]
    fn ten_problems_are_listed_and_all_are_counted() {
        let coerce = |values: usize| {
            let texts: Map<String, Value> =
                (0..values).map(|i| (format!("t{i}"), json!(i))).collect();
            let mut map = json!({"name": "a", "texts": texts}).as_object().cloned().unwrap();
            super::coerce_and_validate(&mut map, &schema())
        };
        assert!(coerce(0).is_ok());
        for (count, end) in [
            (1, "got the number 0."),
            (2, "got the number 0; 1 more problem in details.problems."),
            (10, "; 9 more problems in details.problems."),
            (11, "; 10 more problems, 9 of them in details.problems."),
            (100_000, "; 99999 more problems, 9 of them in details.problems."),
        ] {
            let error = coerce(count).unwrap_err();
            assert!(error.message.ends_with(end), "{count}: {}", error.message);
            let problems = error.details["problems"].as_array().unwrap();
            assert_eq!(problems.len(), count.min(10), "{count}");
            let first =
                json!({"argument": "texts.t0", "expected": "a string", "got": "the number 0"});
            assert_eq!(problems[0], first);
            assert_eq!(error.details["argument"], "texts.t0");
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
                json!({"name": "a", "to": {"fild": "x", "field": "y"}}),
                "Unknown argument \"to.fild\"; did you mean \"field\"?",
            ),
            (
                json!({"name": "a", "id": "4711"}),
                "id: expected a UUID from list_models, e.g. 248df4b7-aa70-47b8-a036-33ac447e668d, got the string \"4711\".",
            ),
            (
                json!({"name": "a", "to": {"more": ["x"]}}),
                "Argument \"to.field\" is missing: expected a string.",
            ),
            (
                json!({"nmae": "a"}),
                "Unknown argument \"nmae\"; did you mean \"name\"? 1 more problem in details.problems.",
            ),
            (
                json!({"to": {"more": ["x"]}, "flag": 5, "id": "4711"}),
                "Argument \"to.field\" is missing: expected a string; 3 more problems in details.problems.",
            ),
            (
                json!({"Name": "a"}),
                "Unknown argument \"Name\"; did you mean \"name\"? 1 more problem in details.problems.",
            ),
            (
                json!({"name": "a", "zzzzzzzz": 1}),
                "Unknown argument \"zzzzzzzz\"; expected name, count, ratio, flag, tags, free, texts, often, to, id; properties of \"free\" go inside it.",
            ),
        ] {
            assert_eq!(coerced(arguments.clone()), Err(expected.to_owned()), "{arguments}");
        }
    }
}
