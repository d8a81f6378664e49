//! Masking secrets in what the API says of connections and syncs, whatever it has masked itself.
//!
//! A value is masked for its name (a word of it, as in `private_key`), for the place it stands in (headers,
//! sign-in, parameters), or for its looks (an address with a password, `password=…` in a text, a private key).
//! Better one value too many than one too few: an agent has no use for either.
//!
//! Source: the names that the contract's list of connection types calls sensitive; gap G23 for the mask.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// What the API itself puts in place of a secret.
const MASK: &str = "********";

/// A name with one of these words is a secret's.
const WORDS: &[&str] = &[
    "authorization",
    "cert",
    "certificate",
    "cookie",
    "jwt",
    "key",
    "keys",
    "pass",
    "pat",
    "private",
    "pwd",
    "sas",
    "signature",
];
/// A name with one of these anywhere is a secret's.
const PARTS: &[&str] = &[
    "accesskey",
    "apikey",
    "credential",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "token",
];
/// Sensitive although no word of theirs says so.
const NAMES: &[&str] = &["accessid", "apiid", "applicationid", "authcode", "clientid", "dsn"];
/// What stands below a name with one of these words may be a secret by any name.
const PLACES: &[&str] =
    &["auth", "cookies", "header", "headers", "parameter", "parameters", "params"];
/// Describes values and holds none: a schema's `password` says that there is one.
const FORM: &str = "configurationForm";
/// Where a schema does hold values.
const SCHEMA_VALUES: &[&str] = &["default", "examples"];
/// What stands behind these and `=` or `:` in a text is a secret.
const ASSIGNED: &[&str] = &[
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
/// Addresses that are secrets as a whole.
const HOOKS: &str = "hooks.slack.com/services/";

/// Masks every secret at any depth. Booleans and null stay: they say whether something is set.
pub(super) fn mask(map: &mut Map<String, Value>) {
    object(map, false, false);
}

/// Masks the values in a schema that stand for secrets: defaults and examples.
pub(super) fn mask_schema(schema: &mut Map<String, Value>) {
    schema_of(schema, false);
}

fn schema_of(schema: &mut Map<String, Value>, is_secret: bool) {
    for (name, value) in schema {
        let is_value = SCHEMA_VALUES.contains(&name.as_str());
        match value {
            value if is_value => value_of(value, is_secret, false),
            Value::Object(map) => schema_of(map, is_secret_name(name)),
            Value::Array(list) => {
                let objects = list.iter_mut().filter_map(Value::as_object_mut);
                objects.for_each(|map| schema_of(map, false));
            }
            _ => {}
        }
    }
}

fn object(map: &mut Map<String, Value>, is_secret: bool, is_place: bool) {
    // {"name": "X-Key", "value": "…"}: the one says what the other is.
    let label = ["name", "key"].iter().find_map(|name| map.get(*name)?.as_str());
    let is_pair = label.is_some() && map.contains_key("value");
    let names_secret = label.is_some_and(is_secret_name);
    for (name, value) in map.iter_mut().filter(|(name, _)| *name != FORM) {
        let is_label = ["name", "type"].contains(&name.as_str()) || (is_pair && name == "key");
        let is_named = !is_label && is_secret_name(name);
        let is_told = is_pair && names_secret && name == "value";
        let is_header = value.is_string()
            && words(name)
                .iter()
                .any(|word| ["header", "headers", "cookies"].contains(&word.as_str()));
        let is_secret = is_secret || is_header || is_named || is_told || (is_place && !is_label);
        value_of(value, is_secret, is_place_name(name));
    }
}

fn value_of(value: &mut Value, is_secret: bool, is_place: bool) {
    match value {
        Value::Object(map) => object(map, is_secret, is_place),
        Value::Array(list) => list.iter_mut().for_each(|item| {
            let is_bare = is_place && !item.is_object();
            value_of(item, is_secret || is_bare, is_place);
        }),
        Value::String(text) if is_secret && !text.is_empty() => MASK.clone_into(text),
        Value::String(text) => *text = nested(text).unwrap_or_else(|| mask_text(text)),
        Value::Number(_) if is_secret => *value = MASK.into(),
        _ => {}
    }
}

/// JSON in a text, masked.
fn nested(text: &str) -> Option<String> {
    let mut value: Value =
        text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text).ok())??;
    let before = value.clone();
    value_of(&mut value, false, false);
    (value != before).then(|| value.to_string())
}

fn is_secret_name(name: &str) -> bool {
    let lower: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    NAMES.contains(&lower.as_str())
        || PARTS.iter().any(|part| lower.contains(part))
        || words(name).iter().any(|word| WORDS.contains(&word.as_str()))
}

fn is_place_name(name: &str) -> bool {
    words(name).iter().any(|word| PLACES.contains(&word.as_str()))
}

/// `accessKeyId`, `access_key-id` and `AccessKEYId` alike are access, key, id.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (place, c) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| letters.get(place));
        let after_lower = before.is_some_and(|before| before.is_lowercase());
        let before_lower = letters.get(place + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase()
            && (after_lower
                || (before.is_some_and(|before| before.is_uppercase()) && before_lower));
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// A text without the secrets in it: passwords in addresses, what is assigned to a secret's name, sign-ins.
/// Takes time in proportion to the text, whatever it holds.
pub(super) fn mask_text(text: &str) -> String {
    // Byte for byte as long as the text.
    let lower = text.to_ascii_lowercase();
    if lower.contains("private key-----") || lower.contains(HOOKS) {
        return MASK.to_owned();
    }
    let mut ranges = sign_ins(&lower);
    for name in ASSIGNED {
        ranges.extend(behind(&lower, name, |end| assigned(&lower, name, end)));
    }
    for code in ["?code=", "&code="] {
        ranges.extend(behind(&lower, code, |end| Some(value_at(&lower, end))));
    }
    for (scheme, is_long_enough) in [("bearer ", 16), ("basic ", 4)] {
        ranges.extend(behind(&lower, scheme, |end| {
            let range = value_at(&lower, end);
            let value = text.get(range.clone())?;
            let is_pair = || STANDARD.decode(value).is_ok_and(|pair| pair.contains(&b':'));
            let is_told = value.len() >= is_long_enough && (scheme == "bearer " || is_pair());
            is_told.then_some(range)
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

/// The ranges that `range` gives for the ends of a word's places, those inside an earlier one left out.
fn behind(
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

/// What stands before the last `@` of each word, where that is who signs in: `user:password`, or anything in
/// an address.
fn sign_ins(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let ends_authority = |c: char| c.is_whitespace() || "/\"?#".contains(c);
        let authority = text.get(start..).and_then(|rest| rest.split(ends_authority).next());
        if let Some((who, _)) = authority.and_then(|authority| authority.rsplit_once('@')) {
            ranges.push(start..start + who.len());
        }
    }
    let ends_word = |c: char| c.is_whitespace() || "/\"',(=<>?&".contains(c);
    let mut start = 0;
    for word in text.split_inclusive(ends_word) {
        if let Some((who, _)) = word.rsplit_once('@').filter(|(who, _)| who.contains(':')) {
            ranges.push(start..start + who.len());
        }
        start += word.len();
    }
    ranges
}

/// The value that is assigned to a name which ends at `end`, by `=`, or to a password by `:` as well.
fn assigned(text: &str, name: &str, end: usize) -> Option<Range<usize>> {
    let before = text.get(..end - name.len())?.chars().next_back();
    if before.is_some_and(char::is_alphanumeric) {
        return None; // the end of another word
    }
    let rest = text.get(end..)?.trim_start_matches(['"', '\'']).trim_start();
    let is_password = name.starts_with("pass") || name == "pwd" || name == "secret";
    let value =
        rest.strip_prefix('=').or_else(|| rest.strip_prefix(':').filter(|_| is_password))?;
    let value = value.trim_start_matches(' ');
    let start = text.len() - value.len();
    for (opening, closing) in [('"', '"'), ('\'', '\''), ('{', '}')] {
        if let Some(quoted) = value.strip_prefix(opening) {
            let length = quoted.find(closing).unwrap_or(quoted.len());
            return Some(start + 1..start + 1 + length);
        }
    }
    Some(value_at(text, start))
}

/// From `start` to the end of the word.
fn value_at(text: &str, start: usize) -> Range<usize> {
    let ends_value = |c: char| c.is_whitespace() || "&;,\"'})".contains(c);
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.find(ends_value).unwrap_or(rest.len())
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
                json!({"APIToken": "x", "DBPassword": "x", "clientsecret": "x", "passcode": "x", "KeyID": "x"}),
                json!({"APIToken": MASK, "DBPassword": MASK, "clientsecret": MASK, "passcode": MASK, "KeyID": MASK}),
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
            assert_eq!(masked(given.clone()), expected, "{given}");
        }
    }
    #[test]
    fn a_text_of_nothing_but_marks_takes_no_longer_than_another() {
        // Seconds each, were every mark looked at to the end of the text.
        for text in ["@", "a:@", "key=", "key=\"", "token: ", "bearer ", "?code=", "://", "ü:@é "]
        {
            let long = text.repeat(1_000_000 / text.len());
            let masked = mask_text(&long);
            assert!(masked.len() <= 9 * long.len(), "{text}");
        }
        assert_eq!(mask_text("ÄÖ password=ß€ İ u:ü@h"), "ÄÖ password=******** İ ********@h");
    }

    #[test]
    fn a_schema_keeps_its_words_and_loses_its_values() {
        let mut schema = json!({"properties": {
            "password": {"type": "string", "default": "hunter2", "examples": ["a"], "title": "Password"},
            "token_type": {"enum": ["a", "b"]},
            "port": {"type": "integer", "default": 5432},
        }});
        mask_schema(schema.as_object_mut().unwrap());
        let properties = &schema["properties"];
        assert_eq!(
            properties["password"],
            json!({"type": "string", "default": MASK, "examples": [MASK], "title": "Password"})
        );
        assert_eq!(properties["token_type"], json!({"enum": ["a", "b"]}));
        assert_eq!(properties["port"], json!({"type": "integer", "default": 5432}));
    }
}
