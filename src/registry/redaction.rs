//! Masks secrets in connections, syncs and texts from the API, whatever the API has masked itself.
//!
//! A value is masked because of its name (see `secret_names`), its parent (headers, credentials, parameters), or its
//! form (a URL with a password, `password=…` in a text, a private key). A schema also says itself what is a secret.
//! Masking one value too many is better than one too few: an agent needs neither.
//!
//! Source: contract, the keywords of a connection type's schema; gap G23 for the mask.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::secret_names::{is_credential_text, is_description, is_secret_name, words};
use crate::polytomic::{Reader, mark, restore};

/// What the API itself returns in place of a secret.
pub(super) const MASK: &str = "********";

/// Below a name with one of these words, the names of properties are free, and any may hold a secret.
const FREE_PARENTS: &[&str] =
    &["cookies", "header", "headers", "parameter", "parameters", "params"];
/// The schema of a configuration: its `password` only says that there is one.
const FORM: &str = "configurationForm";
/// Keywords of a schema that hold values.
const SCHEMA_VALUES: &[&str] = &["default", "examples"];
/// In a text, the value after one of these and `=` or `:` is a secret.
const ASSIGNED_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "accountkey",
    "sharedaccesskey",
    "private_key",
    "secret_key",
    "signature",
    "sig",
];
/// A URL of this kind is a secret as a whole.
const WEBHOOK_PREFIX: &str = "hooks.slack.com/services/";

/// What a property is, given its parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    /// Its own name decides.
    Plain,
    /// It authenticates, or describes how.
    Auth,
    /// Its name is free, so it may be a secret.
    Free,
    /// It is a part of a secret.
    Secret,
}

/// Masks every secret at any depth. Booleans and null stay: they only say whether something is set.
pub(crate) fn mask(map: &mut Map<String, Value>) {
    mask_object(map, Parent::Plain, None);
}

/// Masks a connection. What the schema of its configuration says of a property goes before its name.
pub(crate) fn mask_connection(
    connection: &mut Map<String, Value>,
    schema: Option<&Map<String, Value>>,
) {
    let schema = schema.map(|schema| json!({"properties": {"configuration": schema}}));
    mask_object(connection, Parent::Plain, schema.as_ref());
}

/// Masks the values of secrets in what describes the settings of a model: each is a value, or an object with its type
/// and choices.
pub(crate) fn mask_settings(settings: &mut Map<String, Value>) {
    for (name, value) in settings {
        match value {
            Value::Object(setting) => mask_subschema(setting, is_secret_name(name)),
            _ => mask_property(name, value),
        }
    }
}

/// Masks the secrets in one property.
pub(crate) fn mask_property(name: &str, value: &mut Value) {
    let mut only = Map::from_iter([(name.to_owned(), value.take())]);
    mask(&mut only);
    *value = only.remove(name).unwrap_or_default();
}

/// Masks the defaults and examples of secrets in a schema.
pub(crate) fn mask_schema(schema: &mut Map<String, Value>) {
    mask_subschema(schema, false);
}

fn mask_subschema(schema: &mut Map<String, Value>, has_secret_name: bool) {
    let is_secret = declared_secret(schema).unwrap_or(has_secret_name);
    for (name, value) in schema {
        let is_value = SCHEMA_VALUES.contains(&name.as_str());
        match value {
            value if is_value => mask_value(value, is_secret, Parent::Plain, None),
            Value::Object(map) => mask_subschema(map, is_secret_name(name)),
            Value::Array(list) => {
                let objects = list.iter_mut().filter_map(Value::as_object_mut);
                objects.for_each(|map| mask_subschema(map, false));
            }
            _ => {}
        }
    }
}

/// What a schema says itself about its value.
fn declared_secret(schema: &Map<String, Value>) -> Option<bool> {
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool);
    let is_password = schema.get("format").is_some_and(|format| format == "password");
    let is_secret =
        is_password || flag("password") == Some(true) || flag("writeOnly") == Some(true);
    if is_secret { Some(true) } else { flag("sensitive") }
}

/// `schema`: of the object, if there is one.
fn mask_object(map: &mut Map<String, Value>, parent: Parent, schema: Option<&Value>) {
    // {"name": "X-Key", "value": "…"}: the name of the secret is itself a value.
    let label = ["name", "key"].iter().find_map(|name| map.get(*name)?.as_str());
    let is_pair = label.is_some() && map.contains_key("value");
    let labels_secret = label.is_some_and(|l| is_secret_name(l) || is_credential_text(l));
    for (name, value) in map {
        if let Value::Object(form) = value
            && name == FORM
        {
            mask_subschema(form, false);
            continue;
        }
        let is_label = ["name", "type"].contains(&name.as_str()) || (is_pair && name == "key");
        let is_labelled_secret = is_pair && labels_secret && name == "value";
        let has_secret_name = !is_label && is_secret_name(name);
        let is_header = has_free_name(name) && !is_description(name);
        let is_whole = value.is_string() && (is_header || is_credential_text(name));
        let schema = schema.and_then(|schema| schema.get("properties")?.get(name));
        let declared = schema.and_then(Value::as_object).and_then(declared_secret);
        let is_own = declared.unwrap_or(is_labelled_secret || has_secret_name || is_whole);
        let is_inherited = match parent {
            Parent::Plain => false,
            Parent::Auth => !is_label && !is_description(name) && declared != Some(false),
            Parent::Free => !is_label && declared != Some(false),
            Parent::Secret => true,
        };
        let below = match parent {
            _ if is_own => Parent::Secret,
            Parent::Secret => Parent::Secret,
            Parent::Free if is_inherited => Parent::Secret,
            _ if has_word(name, FREE_PARENTS) => Parent::Free,
            Parent::Auth if is_inherited => Parent::Auth,
            _ if has_word(name, &["auth"]) => Parent::Auth,
            _ => Parent::Plain,
        };
        mask_value(value, is_own || is_inherited, below, schema);
    }
}

fn mask_value(value: &mut Value, is_secret: bool, below: Parent, schema: Option<&Value>) {
    match value {
        Value::Object(map) => mask_object(map, below, schema),
        Value::Array(list) => list.iter_mut().for_each(|item| {
            let is_bare = below != Parent::Plain && !item.is_object();
            let schema = schema.and_then(|schema| schema.get("items"));
            mask_value(item, is_secret || is_bare, below, schema);
        }),
        Value::String(text) if is_secret && !text.is_empty() => MASK.clone_into(text),
        Value::String(text) => *text = mask_nested_json(text).unwrap_or_else(|| mask_text(text)),
        Value::Number(_) if is_secret => *value = MASK.into(),
        _ => {}
    }
}

/// Masks a text that is itself JSON; none if it is not, or holds no secret.
fn mask_nested_json(text: &str) -> Option<String> {
    let is_nested = text.trim_start().starts_with(['{', '[']);
    let mut value: Value = is_nested.then(|| serde_json::from_str(&mark(text)).ok())??;
    let before = value.clone();
    mask_value(&mut value, false, Parent::Plain, None);
    (value != before).then(|| restore(&value.to_string(), Reader::Api).into_owned())
}

/// Whether a text with this name is a header or a cookie as a whole.
fn has_free_name(name: &str) -> bool {
    has_word(name, &["header", "headers", "cookies"])
}

fn has_word(name: &str, known: &[&str]) -> bool {
    words(name).iter().any(|word| known.contains(&word.as_str()))
}

/// Masks the secrets in a text: passwords in URLs, values assigned to the name of a secret, credentials. Takes
/// time proportional to the length of the text, whatever it contains.
pub(crate) fn mask_text(text: &str) -> String {
    // Each of the patterns below has one of these characters; names, numbers and ids have none.
    if !text.contains(['=', ':', ' ', '/']) {
        return text.to_owned();
    }
    // ASCII lowercasing keeps byte offsets.
    let lower = text.to_ascii_lowercase();
    if lower.contains("private key-----") || lower.contains(WEBHOOK_PREFIX) {
        return MASK.to_owned();
    }
    let mut ranges = url_credentials(&lower);
    for name in ASSIGNED_NAMES {
        ranges.extend(assigned_values(&lower, name));
    }
    for parameter in ["?code=", "&code=", "?key=", "&key="] {
        ranges.extend(after(&lower, parameter, |end| Some(value_at(&lower, end))));
    }
    for (scheme, min_length) in [("bearer ", 16), ("basic ", 4)] {
        ranges.extend(after(&lower, scheme, |end| {
            let range = value_at(&lower, end);
            let value = text.get(range.clone())?;
            let is_pair = || STANDARD.decode(value).is_ok_and(|pair| pair.contains(&b':'));
            let is_credential = value.len() >= min_length && (scheme == "bearer " || is_pair());
            is_credential.then_some(range)
        }));
    }
    ranges.sort_by_key(|range| range.start);
    let (mut masked, mut from) = (String::new(), 0);
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= from {
            masked.push_str(text.get(from..range.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        from = from.max(range.end);
    }
    masked + text.get(from..).unwrap_or_default()
}

/// The ranges that `range` returns for the end of each occurrence of a word, without those inside an earlier
/// range.
fn after(
    text: &str,
    word: &str,
    range: impl Fn(usize) -> Option<Range<usize>>,
) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices(word) {
        if ranges.last().is_none_or(|last| at >= last.end) {
            ranges.extend(range(at + word.len()));
        }
    }
    ranges
}

/// The part before the last `@` of each word that is `user:password`, or of any URL.
fn url_credentials(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let ends_authority = |c: char| c.is_whitespace() || "/\"?#".contains(c);
        let authority = text.get(start..).and_then(|rest| rest.split(ends_authority).next());
        if let Some((user, _)) = authority.and_then(|authority| authority.rsplit_once('@')) {
            ranges.push(start..start + user.len());
        }
    }
    let ends_word = |c: char| c.is_whitespace() || "/\"',(=<>?&".contains(c);
    let mut start = 0;
    for word in text.split_inclusive(ends_word) {
        if let Some((user, _)) = word.rsplit_once('@').filter(|(user, _)| user.contains(':')) {
            ranges.push(start..start + user.len());
        }
        start += word.len();
    }
    ranges
}

/// The values assigned to a name.
fn assigned_values(text: &str, name: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut closings = Closings::default();
    for (at, _) in text.match_indices(name) {
        let Some(start) = assigned_value(text, name, at + name.len()) else { continue };
        let covered = ranges.last().map_or(0, |last| last.end);
        // Inside an earlier value only a quoted one can go beyond its end, as in `password=-password='…'`.
        match closings.quoted(text, start) {
            Some(range) if range.end > covered => ranges.push(range),
            None if start >= covered => ranges.push(value_at(text, start)),
            _ => {}
        }
    }
    ranges
}

/// Where the quotes and the brace close that were looked for last. Each is looked for once, however many open before it.
#[derive(Default)]
struct Closings([usize; 3]);

impl Closings {
    /// The range inside the quotes or braces that open at `start`.
    fn quoted(&mut self, text: &str, start: usize) -> Option<Range<usize>> {
        let value = text.get(start..)?;
        let pairs = [('"', '"'), ('\'', '\''), ('{', '}')];
        let mut pairs = pairs.into_iter().zip(&mut self.0);
        let ((_, closing), end) = pairs.find(|((opening, _), _)| value.starts_with(*opening))?;
        let inside = start + 1;
        if *end < inside {
            let length = text.get(inside..)?.find(closing);
            *end = length.map_or(text.len(), |length| inside + length);
        }
        Some(inside..*end)
    }
}

/// Where the value begins that is assigned to a name that ends at `end`: by `=`, or for a password also by `:`.
fn assigned_value(text: &str, name: &str, end: usize) -> Option<usize> {
    let before = text.get(..end - name.len())?.chars().next_back();
    if before.is_some_and(char::is_alphanumeric) {
        return None; // the name is the end of a longer word
    }
    let rest = text.get(end..)?.trim_start_matches(['"', '\'']).trim_start();
    let is_password = name.starts_with("pass") || name == "pwd" || name == "secret";
    let value =
        rest.strip_prefix('=').or_else(|| rest.strip_prefix(':').filter(|_| is_password))?;
    let value = value.trim_start_matches(' ');
    Some(text.len() - value.len())
}

/// The range from `start` to the end of the value.
fn value_at(text: &str, start: usize) -> Range<usize> {
    let ends_value = |c: char| c.is_whitespace() || "&;,\"'})".contains(c);
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.find(ends_value).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(value: Value) -> Value {
        let mut map = value.as_object().cloned().unwrap();
        mask(&mut map);
        Value::Object(map)
    }

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (value, expected) in [
            (json!({"password": "p", "hostname": "h"}), json!({"password": MASK, "hostname": "h"})),
            (json!({"privateKey": "p", "port": 5432}), json!({"privateKey": MASK, "port": 5432})),
            (json!({"API-Key": 4711}), json!({"API-Key": MASK})),
            (json!({"auth_code": "a", "code": "c"}), json!({"auth_code": MASK, "code": "c"})),
            (json!({"client_id": "c", "monkey": "m"}), json!({"client_id": MASK, "monkey": "m"})),
            (json!({"password": "", "use_key": true}), json!({"password": "", "use_key": true})),
            (json!({"a": {"b": [{"secret": "s"}]}}), json!({"a": {"b": [{"secret": MASK}]}})),
            (
                json!({"credentials": {"user": "u", "list": ["a", 1, null]}}),
                json!({"credentials": {"user": MASK, "list": [MASK, MASK, null]}}),
            ),
            (
                json!({"headers": [{"name": "X-Custom", "value": "v"}], "auth": {"type": "t", "x": "x"}}),
                json!({"headers": [{"name": "X-Custom", "value": MASK}], "auth": {"type": "t", "x": MASK}}),
            ),
            (
                json!({"url": "postgres://me:pw@h/db", "other": "https://h/?a=b@c", "mail": "a@b.c"}),
                json!({"url": "postgres://********@h/db", "other": "https://h/?a=b@c", "mail": "a@b.c"}),
            ),
            (
                json!({"a": "mongodb://u:Zm9v==@h/", "b": "rediss://:a,b&c=@h", "c": "Pwd='a b;c'; x", "d": "Turkey: Sales",
                    "e": "where key = 'a'", "clientId": "x", "request_headers": "X: y", "f": "Invalid token: expired"}),
                json!({"a": "mongodb://********@h/", "b": "rediss://********@h", "c": "Pwd='********'; x", "d": "Turkey: Sales",
                    "e": "where key = 'a'", "clientId": MASK, "request_headers": MASK, "f": "Invalid token: expired"}),
            ),
            (
                json!({"configurationForm": {"jsonschema": {"password": {"type": "string"}}}}),
                json!({"configurationForm": {"jsonschema": {"password": {"type": "string"}}}}),
            ),
            (
                json!({"name": "Basic Postgres", "a": "Basic dTpw", "b": "Bearer 0123456789abcdef"}),
                json!({"name": "Basic Postgres", "a": "Basic ********", "b": "Bearer ********"}),
            ),
            (
                json!({"odbc": "Server=x;PWD=y;Port=1"}),
                json!({"odbc": "Server=x;PWD=********;Port=1"}),
            ),
            (
                json!({"headers": ["Authorization: x", ["k", "v"]], "requestParams": {"a": "b"}, "auth_method": "key_pair"}),
                json!({"headers": [MASK, [MASK, MASK]], "requestParams": {"a": MASK}, "auth_method": "key_pair"}),
            ),
            (
                json!({"list": [{"name": "password", "value": "x"}, {"key": "api_token", "value": "x"}, {"name": "a", "value": "b"}]}),
                json!({"list": [{"name": "password", "value": MASK}, {"key": "api_token", "value": MASK}, {"name": "a", "value": "b"}]}),
            ),
            (
                json!({"APIToken": "x", "DBPassword": "x", "clientsecret": "x", "passcode": "x", "KeyData": "x", "KeyID": "x"}),
                json!({"APIToken": MASK, "DBPassword": MASK, "clientsecret": MASK, "passcode": MASK, "KeyData": MASK, "KeyID": "x"}),
            ),
            (
                json!({"a": "{\"password\": \"x\", \"b\": 1}", "c": "[1, 2]", "d": "{not json"}),
                json!({"a": "{\"password\":\"********\",\"b\":1}", "c": "[1, 2]", "d": "{not json"}),
            ),
            (
                json!({"error": "see https://docs/x, then postgres://me:pw@h or u:p@tcp(h); Password: abc, done",
                    "hook": "https://hooks.slack.com/services/T/B/x", "f": "https://f/api?code=abc&x=1"}),
                json!({"error": "see https://docs/x, then postgres://********@h or ********@tcp(h); Password: ********, done",
                    "hook": MASK, "f": "https://f/api?code=********&x=1"}),
            ),
            (json!({"pem": "-----BEGIN RSA PRIVATE KEY-----\nx"}), json!({"pem": MASK})),
        ] {
            assert_eq!(masked(value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn masking_takes_linear_time_for_any_text() {
        // Quadratic masking would take seconds for each of these.
        for text in [
            "@", "a:@", "key=", "key=\"", "token: ", "bearer ", "?code=", "://", "ü:@é ", "pwd={",
            "-pwd=",
        ] {
            let long = text.repeat(1_000_000 / text.len());
            let masked = mask_text(&long);
            assert!(masked.len() <= 9 * long.len(), "{text}");
        }
        for (text, expected) in [
            ("pwd='a pwd='b';c", "pwd='********'********';c"),
            ("pwd=-pwd='b'", "pwd=********'********'"),
            ("pwd={a pwd=\"b} c\" d", "pwd={********\" d"),
        ] {
            assert!(!mask_text(text).contains('b'), "{text} {}", mask_text(text));
            assert_eq!(mask_text(text), expected);
        }
        assert_eq!(mask_text("ÄÖ password=ß€ İ u:ü@h"), "ÄÖ password=******** İ ********@h");
    }

    #[test]
    fn a_schema_keeps_its_keywords_and_loses_its_secret_values() {
        let mut schema = json!({"properties": {
            "password": {"type": "string", "default": "hunter2", "examples": ["a"], "title": "Password"},
            "token_type": {"enum": ["a", "b"]},
            "port": {"type": "integer", "default": 5432},
            "dataset": {"type": "string", "sensitive": true, "default": "a"},
            "passphrase_hint": {"type": "string", "sensitive": false, "default": "a"},
        }});
        mask_schema(schema.as_object_mut().unwrap());
        let properties = &schema["properties"];
        assert_eq!(
            properties["password"],
            json!({"type": "string", "default": MASK, "examples": [MASK], "title": "Password"})
        );
        assert_eq!(properties["token_type"], json!({"enum": ["a", "b"]}));
        assert_eq!(properties["port"], json!({"type": "integer", "default": 5432}));
        // What the schema says has precedence over the name.
        assert_eq!(properties["dataset"]["default"], MASK);
        assert_eq!(properties["passphrase_hint"]["default"], "a");
    }
}
