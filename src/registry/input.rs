//! Coerces and validates arguments against the schema of the tool, then deserializes them.
//!
//! One walk coerces what is safe to coerce and collects what is invalid, so that a caller learns of all of it at
//! once. The advertised schema is this one in fewer words, see `schema::advertised`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::error::ToolError;
use super::schema;
use crate::polytomic::{mark, round};

/// Maximum characters of the caller's text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;
/// Largest magnitude up to which every integer is exact as a double: 2^53.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;
/// Maximum problems that an error lists.
const MAX_PROBLEMS: usize = 10;

/// Coerces `arguments` in place: JSON text where an object or list is expected is parsed, `"10"` and `"true"`
/// become a number and a boolean, an integral float becomes an integer, and null for an optional property is
/// removed.
///
/// # Errors
/// `invalid_argument` with the path of the first invalid argument, what was expected and what was passed, and the
/// same of the others in `details.problems`.
pub(crate) fn coerce(
    arguments: &mut Map<String, Value>,
    schema: &Map<String, Value>,
) -> Result<(), ToolError> {
    let mut problems = Problems::default();
    coerce_object(arguments, schema, "", &mut problems);
    problems.into_result()
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

/// An argument that violates the schema.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
struct Problem {
    argument: String,
    expected: String,
    /// Absent if the argument is missing.
    got: Option<String>,
    /// The problem as a sentence.
    #[serde(skip)]
    message: String,
}

impl Problem {
    fn invalid(argument: &str, schema: &Map<String, Value>, got: String) -> Self {
        let expected = expectation(schema);
        let message = format!("{argument}: expected {expected}, got {got}.");
        Self { argument: argument.to_owned(), expected, got: Some(got), message }
    }

    fn missing(argument: String, schema: &Value) -> Self {
        let expected = schema.as_object().map(expectation).unwrap_or_default();
        let message = format!("Argument \"{argument}\" is missing: expected {expected}.");
        Self { argument, expected, got: None, message }
    }

    fn unknown(argument: String, name: &str, properties: &Map<String, Value>) -> Self {
        let known = || properties.keys().map(String::as_str);
        let (expected, reason) = match nearest(name, known()) {
            Some(known) => (format!("{known:?}"), format!("did you mean {known:?}?")),
            None if properties.is_empty() => {
                ("no argument".to_owned(), "no argument is expected here.".to_owned())
            }
            None => {
                let known: Vec<&str> = known().collect();
                let is_free =
                    |schema: &Value| schema.get("additionalProperties") == Some(&true.into());
                let free = properties.iter().find(|(_, schema)| is_free(schema));
                let free = free.map(|(name, _)| format!("; properties of \"{name}\" go inside it"));
                let expected = format!("{}{}", known.join(", "), free.unwrap_or_default());
                (expected.clone(), format!("expected {expected}."))
            }
        };
        let message = format!("Unknown argument \"{argument}\"; {reason}");
        Self { argument, expected, got: Some("an unknown argument".to_owned()), message }
    }
}

/// The problems of one call. Only the first ones are put into words: there may be as many as bytes in a line.
#[derive(Debug, Default)]
struct Problems {
    listed: Vec<Problem>,
    count: usize,
}

impl Problems {
    fn add(&mut self, problem: impl FnOnce() -> Problem) {
        self.count += 1;
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(problem());
        }
    }

    fn into_result(self) -> Result<(), ToolError> {
        let Some(first) = self.listed.first() else { return Ok(()) };
        let mut message = first.message.clone();
        let more = self.count - 1;
        if more > 0 {
            if message.ends_with('.') {
                message.pop();
                message.push(';');
            }
            let s = if more == 1 { "" } else { "s" };
            message += &format!(" {more} more problem{s}");
            if self.count > self.listed.len() {
                message += &format!(", {} of them", self.listed.len() - 1);
            }
            message += " in details.problems.";
        }
        let mut error = ToolError::invalid_argument(&first.argument, message);
        error.details.insert("problems".to_owned(), json!(self.listed));
        Err(error)
    }
}

fn coerce_value(
    value: &mut Value,
    schema: &Map<String, Value>,
    path: &str,
    problems: &mut Problems,
) {
    let type_name = keyword(schema, "type");
    round(value);
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
        return problems.add(|| Problem::invalid(path, schema, describe(value)));
    }
    if let Some(violation) = violation(value, schema) {
        return problems.add(|| Problem::invalid(path, schema, violation));
    }
    match (value, schema.get("items")) {
        (Value::Object(map), _) => coerce_object(map, schema, path, problems),
        (Value::Array(items), Some(Value::Object(schema))) => {
            for (i, item) in items.iter_mut().enumerate() {
                coerce_value(item, schema, &format!("{path}[{i}]"), problems);
            }
        }
        _ => {}
    }
}

fn coerce_object(
    map: &mut Map<String, Value>,
    schema: &Map<String, Value>,
    path: &str,
    problems: &mut Problems,
) {
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
        match (properties.get(name), additional) {
            (Some(Value::Object(schema)), _) | (None, Some(Value::Object(schema))) => {
                coerce_value(value, schema, &join(path, name), problems);
            }
            (None, Some(Value::Bool(false))) => {
                problems.add(|| Problem::unknown(join(path, name), name, properties));
            }
            _ => {}
        }
    }
    for (name, schema) in properties {
        if required.contains(&name.as_str()) && !map.contains_key(name) {
            problems.add(|| Problem::missing(join(path, name), schema));
        }
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

/// Whether a text has a format of `schema::CHECKED_FORMATS`; any other format is only a description.
fn has_format(text: &str, format: &str) -> bool {
    match format {
        schema::UUID => Uuid::parse_str(text).is_ok(),
        schema::KEY => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }
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
    match value {
        Value::Number(n) if is_outside(n.as_f64()?, "minimum", "maximum") => Some(n.to_string()),
        Value::String(s) if is_outside(as_f64(s.chars().count()), "minLength", "maxLength") => {
            Some(format!("{} characters", s.chars().count()))
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

/// The known name most similar to an unknown one, if one is similar enough.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = shorten(name);
    let distances = known.map(|known| (strsim::damerau_levenshtein(known, &name), known));
    let (distance, known) = distances.min()?;
    (distance <= 1 + known.len().min(name.len()) / 3).then_some(known)
}

/// What the schema expects, with the example of its description: "an integer from 0 to 600, e.g. 30".
fn expectation(schema: &Map<String, Value>) -> String {
    let format = keyword(schema, "format");
    let mut text = match keyword(schema, "type") {
        _ if format == schema::UUID => schema::described_uuid(schema),
        type_name @ ("object" | "array" | "integer") => format!("an {type_name}"),
        type_name => format!("a {type_name}"),
    };
    if let Some(bounds) = schema::bounds(schema) {
        let is_range = schema.contains_key("minimum") && schema.contains_key("maximum");
        text += &format!(" {} {bounds}", if is_range { "from" } else { "of" });
    }
    if format == schema::KEY {
        text += ", only letters, digits, `-` and `_`";
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
                       "properties": {"field": {"type": "string"}}},
                "id": {"type": "string", "format": "uuid", "description": "A UUID from `list_models`."},
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
    fn ten_problems_are_listed_and_all_are_counted() {
        let coerce = |values: usize| {
            let texts: Map<String, Value> =
                (0..values).map(|i| (format!("t{i}"), json!(i))).collect();
            let mut map = json!({"name": "a", "texts": texts}).as_object().cloned().unwrap();
            super::coerce(&mut map, &schema())
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
                json!({"name": "a", "to": {}}),
                "Argument \"to.field\" is missing: expected a string.",
            ),
            (
                json!({"nmae": "a"}),
                "Unknown argument \"nmae\"; did you mean \"name\"? 1 more problem in details.problems.",
            ),
            (
                json!({"to": {}, "flag": 5, "id": "4711"}),
                "Argument \"to.field\" is missing: expected a string; 3 more problems in details.problems.",
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
