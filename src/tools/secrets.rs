//! Masking secrets in what the API says of connections, whatever it has masked itself.
//!
//! A value is masked for its name (a word of it, as in `private_key`), for the place it stands in (headers,
//! sign-in, parameters), or for its looks (an address with a password, a private key). Better one value too
//! many than one too few: an agent has no use for either.
//!
//! Source: the names that the contract's list of connection types calls sensitive; gap G23 for the mask.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// What the API itself puts in place of a secret.
const MASK: &str = "********";

/// A name with one of these words is a secret's.
const WORDS: &[&str] = &[
    "apikey",
    "authorization",
    "cert",
    "certificate",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "key",
    "keys",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "private",
    "pwd",
    "sas",
    "secret",
    "secrets",
    "signature",
    "token",
    "tokens",
];
/// Sensitive although no word of theirs says so.
const NAMES: &[&str] =
    &["access_id", "api_id", "application_id", "auth_code", "client_id", "service_account", "dsn"];
/// What stands below these may be a secret by any name.
const PLACES: &[&str] = &["auth", "headers", "parameters", "query_parameters"];
/// Describes values and holds none: a schema's `password` says that there is one.
const FORM: &str = "configurationForm";
/// Beside these a text holds a secret in the middle of other things.
const ASSIGNMENTS: &[&str] =
    &["password=", "passwd=", "pwd=", "secret=", "token=", "key=", "sig=", "signature="];

/// Masks every secret at any depth. Booleans and null stay: they say whether something is set.
pub(super) fn mask(map: &mut Map<String, Value>) {
    below(map, false);
}

fn below(map: &mut Map<String, Value>, is_place: bool) {
    for (name, value) in map.iter_mut().filter(|(name, _)| *name != FORM) {
        let is_secret = is_place && !["name", "key", "type"].contains(&name.as_str());
        value_of(value, is_secret || is_secret_name(name), PLACES.contains(&name.as_str()));
    }
}

fn value_of(value: &mut Value, is_secret: bool, is_place: bool) {
    match value {
        Value::Object(map) if is_secret => {
            map.values_mut().for_each(|value| value_of(value, true, false));
        }
        Value::Object(map) => below(map, is_place),
        Value::Array(list) => {
            list.iter_mut().for_each(|value| value_of(value, is_secret, is_place));
        }
        Value::String(text) if !text.is_empty() && (is_secret || looks_secret(text)) => {
            MASK.clone_into(text);
        }
        Value::Number(_) if is_secret => *value = MASK.into(),
        _ => {}
    }
}

fn is_secret_name(name: &str) -> bool {
    NAMES.contains(&name.to_lowercase().as_str())
        || words(name).iter().any(|word| WORDS.contains(&word.as_str()))
}

/// `accessKeyId` and `access_key-id` alike are access, key, id.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

fn looks_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    let address = lower.split_once("://").map(|(_, rest)| rest);
    let authority = address.and_then(|rest| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
        || lower.contains("private key-----")
        || is_authorization(text)
        || ASSIGNMENTS.iter().any(|name| lower.contains(name))
}

/// A header's value; not any text that begins with the word, such as the name "Basic Postgres".
fn is_authorization(text: &str) -> bool {
    let Some((scheme, value)) = text.split_once(' ') else { return false };
    match scheme.to_lowercase().as_str() {
        "bearer" => value.len() >= 16 && !value.contains(' '),
        "basic" => STANDARD.decode(value).is_ok_and(|pair| pair.contains(&b':')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masked(value: Value) -> Value {
        let mut map = value.as_object().cloned().unwrap();
        mask(&mut map);
        Value::Object(map)
    }

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (given, expected) in [
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
                json!({"url": "postgres://me:pw@h/db", "other": "https://h/?a=b@c"}),
                json!({"url": MASK, "other": "https://h/?a=b@c"}),
            ),
            (
                json!({"configurationForm": {"jsonschema": {"password": {"type": "string"}}}}),
                json!({"configurationForm": {"jsonschema": {"password": {"type": "string"}}}}),
            ),
            (
                json!({"name": "Basic Postgres", "a": "Basic dTpw", "b": "Bearer 0123456789abcdef"}),
                json!({"name": "Basic Postgres", "a": MASK, "b": MASK}),
            ),
            (json!({"odbc": "Server=x;PWD=y"}), json!({"odbc": MASK})),
            (json!({"pem": "-----BEGIN RSA PRIVATE KEY-----\nx"}), json!({"pem": MASK})),
        ] {
            assert_eq!(masked(given.clone()), expected, "{given}");
        }
    }
}
