//! What differs between a request and the contract. Only names are reported, never values.
//!
//! The sandbox reads requests leniently, as the API does; this shows what it ignored. `contract/requests.json` is generated
//! from the contract, in a short form of its schemas that [`Schema`] describes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

const MAX_DIFFERENCES: usize = 20;
const MAX_NAME_CHARACTERS: usize = 80;
/// Far deeper than the contract goes.
const MAX_DEPTH: usize = 30;

static REQUESTS: LazyLock<Option<Requests>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../contract/requests.json"))
        .inspect_err(|error| tracing::error!(%error, "cannot read the schemas of requests"))
        .ok()
});

/// The requests of the contract.
#[derive(Deserialize)]
struct Requests {
    operations: BTreeMap<String, Expected>,
    schemas: BTreeMap<String, Value>,
}

#[derive(Deserialize, Default)]
struct Expected {
    /// Query parameters; `!` at the end of a name marks a required one.
    #[serde(default)]
    query: BTreeMap<String, Value>,
    /// The schema of the body, a short form of its JSON Schema:
    /// - a string is a type, nullable with `?` at the end: `s`tring, `i`nteger, `n`umber, `b`oolean, `u`uid, `t`ime, `o`bject,
    ///   `a`rray, `*` for anything, or a reference such as `@Schedule`;
    /// - `{"name": …, "other!": …}` is an object with these properties, where `!` marks a required one;
    /// - `{"[]": …}` is an array, `{"{}": …}` an object with any names, `{"=": […]}` one of these values, `{"|": […]}` one of
    ///   these schemas; `"?": 1` makes them nullable.
    body: Option<Value>,
    #[serde(default)]
    is_body_required: bool,
}

/// Compares the headers and the query of a request.
pub(in crate::sandbox) fn head(operation: &str, uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let mut differences = Vec::new();
    if !headers.contains_key("x-polytomic-version") {
        differences.push("X-Polytomic-Version: missing; the newest version applies".to_owned());
    }
    if let Some(key) = headers.get("idempotency-key") {
        let key = key.as_bytes();
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(8..=255).contains(&key.len()) || !key.iter().all(is_allowed) {
            let expected =
                "Idempotency-Key: expected 8 to 255 letters, digits, dashes and underscores";
            differences.push(expected.to_owned());
        }
    }
    let Some(requests) = REQUESTS.as_ref() else {
        return differences;
    };
    let default = Expected::default();
    let expected = requests.operations.get(operation).unwrap_or(&default);
    let mut comparison = Comparison { requests, differences };
    comparison.query(expected, uri.query().unwrap_or_default());
    comparison.differences
}

/// Compares the body of a request.
pub(in crate::sandbox) fn body(operation: &str, body: &[u8]) -> Vec<String> {
    let Some(requests) = REQUESTS.as_ref() else {
        return Vec::new();
    };
    let expected = requests.operations.get(operation);
    let schema = expected.and_then(|expected| expected.body.as_ref());
    let mut comparison = Comparison { requests, differences: Vec::new() };
    match (schema, body.trim_ascii().is_empty()) {
        (None, true) => {}
        (None, false) => comparison.report("body", "this operation has none"),
        (Some(_), true) if expected.is_none_or(|expected| !expected.is_body_required) => {}
        (Some(_), true) => comparison.report("body", "missing"),
        (Some(schema), false) => match serde_json::from_slice(body) {
            Ok(value) => comparison.value(schema, &value, "", 0),
            Err(_) => comparison.report("body", "not valid JSON"),
        },
    }
    comparison.differences
}

struct Comparison<'a> {
    requests: &'a Requests,
    differences: Vec<String>,
}

impl Comparison<'_> {
    fn report(&mut self, path: &str, problem: &str) {
        if self.differences.len() < MAX_DIFFERENCES {
            let path = if path.is_empty() { "body" } else { path };
            self.differences.push(format!("{path}: {problem}"));
        }
    }

    fn query(&mut self, expected: &Expected, query: &str) {
        let mut found = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let base = name.split('[').next().unwrap_or_default().to_owned();
            let schema =
                expected.query.get(&base).or_else(|| expected.query.get(&format!("{base}!")));
            let Some(schema) = schema else {
                self.report(&shorten(&name), "unknown query parameter");
                continue;
            };
            let schema = schema.as_str().unwrap_or("s");
            let expected = match schema {
                "i" if value.parse::<i64>().is_err() => Some("an integer"),
                "b" if !matches!(&*value, "true" | "false") => Some("true or false"),
                "u" if Uuid::parse_str(&value).is_err() => Some("a UUID"),
                "t" if chrono::DateTime::parse_from_rfc3339(&value).is_err() => {
                    Some("a time (RFC 3339)")
                }
                "o" if !name.contains('[') => Some("names in brackets, such as name[key]=value"),
                _ => None,
            };
            if let Some(expected) = expected {
                self.report(&shorten(&name), &format!("expected {expected} in the query"));
            }
            found.push(base);
        }
        for name in expected.query.keys().filter_map(|name| name.strip_suffix('!')) {
            if !found.iter().any(|found| found == name) {
                self.report(name, "missing query parameter");
            }
        }
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match schema {
            Value::String(name) => self.named(name, value, path, depth),
            Value::Object(schema) => {
                if value.is_null() && schema.contains_key("?") {
                    return;
                }
                if let Some(items) = schema.get("[]") {
                    return match value.as_array() {
                        Some(list) => {
                            for (index, item) in list.iter().enumerate() {
                                self.value(items, item, &format!("{path}[{index}]"), depth + 1);
                            }
                        }
                        None => self.report(path, "expected an array"),
                    };
                }
                if let Some(values) = schema.get("{}") {
                    return match value.as_object() {
                        Some(map) => {
                            for (name, item) in map {
                                self.value(values, item, &join(path, name), depth + 1);
                            }
                        }
                        None => self.report(path, "expected an object"),
                    };
                }
                if let Some(values) = schema.get("=").and_then(Value::as_array) {
                    if !values.contains(value) {
                        let values =
                            values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
                        self.report(path, &format!("expected one of {values}"));
                    }
                    return;
                }
                if let Some(schemas) = schema.get("|").and_then(Value::as_array) {
                    return self.any_of(schemas, value, path, depth);
                }
                self.object(schema, value, path, depth);
            }
            _ => {}
        }
    }

    fn named(&mut self, name: &str, value: &Value, path: &str, depth: usize) {
        let (name, is_nullable) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if is_nullable && value.is_null() {
            return;
        }
        if let Some(reference) = name.strip_prefix('@') {
            if let Some(schema) = self.requests.schemas.get(reference) {
                self.value(schema, value, path, depth + 1);
            }
            return;
        }
        let text = value.as_str();
        let (is_right, expected) = match name {
            "s" => (text.is_some(), "a string"),
            "i" => (value.is_i64() || value.is_u64(), "an integer"),
            "n" => (value.is_number(), "a number"),
            "b" => (value.is_boolean(), "true or false"),
            "u" => (text.is_some_and(|text| Uuid::parse_str(text).is_ok()), "a UUID"),
            "t" => (
                text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
                "a time (RFC 3339)",
            ),
            "o" => (value.is_object(), "an object"),
            "a" => (value.is_array(), "an array"),
            _ => (true, ""),
        };
        if !is_right {
            self.report(path, &format!("expected {expected}"));
        }
    }

    fn object(
        &mut self,
        schema: &serde_json::Map<String, Value>,
        value: &Value,
        path: &str,
        depth: usize,
    ) {
        let Some(object) = value.as_object() else {
            return self.report(path, "expected an object");
        };
        for (name, item) in object {
            match schema.get(name).or_else(|| schema.get(&format!("{name}!"))) {
                Some(schema) => self.value(schema, item, &join(path, name), depth + 1),
                None => self.report(&join(path, name), "unknown property"),
            }
        }
        for name in schema.keys().filter_map(|name| name.strip_suffix('!')) {
            if !object.contains_key(name) {
                self.report(&join(path, name), "missing property");
            }
        }
    }

    fn any_of(&mut self, schemas: &[Value], value: &Value, path: &str, depth: usize) {
        let mut fewest: Option<Vec<String>> = None;
        for schema in schemas {
            let mut comparison = Comparison { requests: self.requests, differences: Vec::new() };
            comparison.value(schema, value, path, depth + 1);
            if fewest.as_ref().is_none_or(|fewest| comparison.differences.len() < fewest.len()) {
                fewest = Some(comparison.differences);
            }
        }
        for difference in fewest.unwrap_or_default() {
            if self.differences.len() < MAX_DIFFERENCES {
                self.differences.push(difference);
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    let name = shorten(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn shorten(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARACTERS).collect()
}
