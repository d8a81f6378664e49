//! Masks secrets in connections, syncs and texts from the API, whatever the API has masked itself.
//!
//! A value is masked because of its name (see `secret_names`), its parent (headers, credentials, parameters), or its
//! form (a URL with a password, `password=…` in a text, a private key). A schema also says itself what is a secret.
//! Masking one value too many is better than one too few: an agent needs neither.
//!
//! Source: contract, the keywords of a connection type's schema; gap G23 for the mask.

use serde_json::{Map, Value};

use super::declared_secrets::{Schemas, declared_secret};
use super::parents::{Parent, has_free_name, has_free_properties, is_table_header};
use super::secret_names::{is_credential_text, is_description, is_secret_name, names_field, words};
pub(super) use super::secret_texts::MASK;
pub(crate) use super::secret_texts::mask_text;
use crate::polytomic::{Reader, mark, restore};

/// In a pair such as `{"name": "X-Key", "value": "…"}`, what has the name of the value.
const LABELS: &[&str] = &["name", "key", "label", "header"];
/// In a pair, what has the value.
const LABELLED: &[&str] = &["value", "val", "content"];
/// The schema of a configuration: its `password` only says that there is one.
const FORM: &str = "configurationForm";
/// Keywords of a schema that hold values.
const SCHEMA_VALUES: &[&str] = &["default", "examples"];
/// Keywords of a schema that values do not have.
const SCHEMA_KEYWORDS: &[&str] =
    &["has_items", "items", "enum", "default", "examples", "properties", "title"];
/// The types of a schema.
const SCHEMA_TYPES: &[&str] =
    &["string", "integer", "number", "boolean", "array", "object", "null"];
/// For a source of files, the paths of files.
const FILES: &str = "key";

/// Masks every secret at any depth. Booleans and null stay: they only say whether something is set.
pub(crate) fn mask(map: &mut Map<String, Value>) {
    mask_object(map, Parent::Plain, &Schemas::default());
}

/// Masks a connection. What the schema of its configuration says of a property goes before its name.
pub(crate) fn mask_connection(
    connection: &mut Map<String, Value>,
    schema: Option<&Map<String, Value>>,
) {
    let configuration = connection.get_mut("configuration").map(Value::take);
    mask(connection);
    if let Some(mut configuration) = configuration {
        let schemas = schema.map(Schemas::of).unwrap_or_default();
        let is_secret = schemas.declared_secret() == Some(true);
        let below = if is_secret { Parent::Secret } else { Parent::Plain };
        mask_value(&mut configuration, is_secret, below, &schemas);
        connection.insert("configuration".to_owned(), configuration);
    }
}

/// Masks the values of secrets in what describes the settings of a model: each is a value, or an object with its type,
/// value and choices.
pub(crate) fn mask_settings(settings: &mut Map<String, Value>) {
    for (name, setting) in settings {
        match setting {
            Value::Object(setting) if is_schema(setting) => mask_setting(name, setting),
            Value::Object(group) if contains_schema(group) => mask_settings(group),
            _ => mask_property(name, setting),
        }
    }
}

fn mask_setting(name: &str, setting: &mut Map<String, Value>) {
    mask_subschema(setting, is_secret_name(name));
    let declared = declared_secret(setting);
    if declared == Some(false) {
        return;
    }
    if let Some(value) = setting.get_mut("value") {
        match declared {
            Some(_) => mask_value(value, true, Parent::Secret, &Schemas::default()),
            None => mask_property(name, value),
        }
    }
    // Elsewhere choices are names of tables and files, or ways to authenticate.
    let has_secret_choices = is_secret_name(name) || {
        let words = words(name);
        let choices = setting.get("items").unwrap_or(&Value::Null);
        has_free_properties(&words) && !is_table_header(&words, choices)
    };
    if let Some(choices) = setting.get_mut("items").filter(|_| has_secret_choices && name != FILES)
    {
        mask_property(name, choices);
    }
}

/// Whether an object describes a setting and is not its value.
fn is_schema(map: &Map<String, Value>) -> bool {
    let is_type = |name: &Value| name.as_str().is_some_and(|name| SCHEMA_TYPES.contains(&name));
    map.get("type").is_some_and(is_type)
        || SCHEMA_KEYWORDS.iter().any(|keyword| map.contains_key(*keyword))
}

fn contains_schema(group: &Map<String, Value>) -> bool {
    let mut objects = group.values().filter_map(Value::as_object);
    objects.any(|map| is_schema(map) || contains_schema(map))
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
            value if is_value => mask_value(value, is_secret, Parent::Plain, &Schemas::default()),
            Value::Object(map) => mask_subschema(map, is_secret_name(name)),
            Value::Array(list) => {
                let objects = list.iter_mut().filter_map(Value::as_object_mut);
                objects.for_each(|map| mask_subschema(map, false));
            }
            _ => {}
        }
    }
}

/// `schemas`: of the object.
fn mask_object(map: &mut Map<String, Value>, parent: Parent, schemas: &Schemas<'_>) {
    let pair = Pair::of(map).filter(|_| parent != Parent::Choice);
    for (name, value) in map {
        if let Value::Object(form) = value
            && name == FORM
        {
            mask_subschema(form, false);
            continue;
        }
        let is_label = ["name", "type"].contains(&name.as_str())
            || pair.is_some_and(|pair| pair.has_label(name, value));
        let is_labelled_secret =
            pair.is_some_and(|pair| pair.labels_secret) && is_any(name, LABELLED);
        let names_property = || {
            names_field(name, value) || (parent == Parent::Paging && is_any(name, &["key", "keys"]))
        };
        let is_column = parent == Parent::Column;
        let has_secret_name = !is_label && !is_column && is_secret_name(name) && !names_property();
        let is_header = || has_free_name(name, value) && !is_description(name);
        let is_whole = !is_label
            && !has_secret_name
            && !is_column
            && value.is_string()
            && (is_header() || is_credential_text(name));
        let schemas = schemas.property(name);
        let declared = schemas.declared_secret();
        let is_own = declared.unwrap_or(is_labelled_secret || has_secret_name || is_whole);
        let is_inherited = match parent {
            Parent::Plain | Parent::Paging | Parent::Choice | Parent::Column => false,
            Parent::Auth => !is_label && !is_description(name) && declared != Some(false),
            Parent::Free => !is_label && declared != Some(false),
            Parent::Secret => true,
        };
        // Texts and numbers have nothing below.
        let below = match value {
            Value::Object(_) | Value::Array(_) => parent.below(name, value, is_own, is_inherited),
            _ => parent,
        };
        mask_value(value, is_own || is_inherited, below, &schemas);
    }
}

/// An object whose value has its name beside it, as in `{"name": "X-Key", "value": "…"}`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    labels_secret: bool,
    /// Beside any other text `key` may be the secret itself.
    may_have_key: bool,
}

impl Pair {
    fn of(map: &Map<String, Value>) -> Option<Self> {
        map.keys().find(|name| is_any(name, LABELLED))?;
        let of_label = |(name, value): (&String, &Value)| {
            let label = value.as_str().filter(|_| is_any(name, LABELS))?;
            Some(is_secret_name(label) || is_credential_text(label))
        };
        let labels_secret = map.iter().filter_map(of_label).reduce(|one, other| one || other)?;
        let may_have_key = map.keys().any(|name| is_any(name, &["value", "val"]));
        Some(Self { labels_secret, may_have_key })
    }

    fn has_label(self, name: &str, value: &Value) -> bool {
        let has_colon = || value.as_str().is_some_and(|text| text.contains(':'));
        is_any(name, &["name", "label"])
            || (is_any(name, &["header"]) && !has_colon())
            || (self.may_have_key && is_any(name, &["key"]))
    }
}

/// Whether a name is one of those known, ignoring case.
fn is_any(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn mask_value(value: &mut Value, is_secret: bool, below: Parent, schemas: &Schemas<'_>) {
    match value {
        Value::Object(map) => mask_object(map, below, schemas),
        Value::Array(list) => {
            let may_be_secret = matches!(below, Parent::Auth | Parent::Free | Parent::Secret);
            let schemas = schemas.items();
            let is_declared = schemas.declared_secret() == Some(true);
            for item in list {
                let is_bare = may_be_secret && !item.is_object();
                let below = if is_declared { Parent::Secret } else { below };
                mask_value(item, is_secret || is_bare || is_declared, below, &schemas);
            }
        }
        Value::String(text) if is_secret && !text.is_empty() => MASK.clone_into(text),
        Value::String(text) => *text = mask_nested_json(text).unwrap_or_else(|| mask_text(text)),
        Value::Number(_) if is_secret => *value = MASK.into(),
        _ => {}
    }
}

/// Masks a text that is itself JSON, however often it is encoded; none if it is not, or holds no secret.
fn mask_nested_json(text: &str) -> Option<String> {
    let is_nested = text.trim_start().starts_with(['{', '[', '"']);
    let mut value: Value = is_nested.then(|| serde_json::from_str(&mark(text)).ok())??;
    let before = value.clone();
    mask_value(&mut value, false, Parent::Plain, &Schemas::default());
    (value != before).then(|| restore(&value.to_string(), Reader::Api).into_owned())
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
            (
                json!({"bearer": "S", "oauth": {"refresh": "S"}, "authentication": {"value": "S", "mode": "m"}, "session_id": "S"}),
                json!({"bearer": MASK, "oauth": {"refresh": MASK}, "authentication": {"value": MASK, "mode": "m"}, "session_id": MASK}),
            ),
            (
                json!({"list": [{"Name": "password", "Value": "S"}, {"label": "Password", "value": "S"}, {"key": "X-Api-Key", "val": "S"},
                    {"header": "Authorization", "content": "S"}, {"name": "a", "label": "Token", "value": "S"}]}),
                json!({"list": [{"Name": "password", "Value": MASK}, {"label": "Password", "value": MASK}, {"key": "X-Api-Key", "val": MASK},
                    {"header": "Authorization", "content": MASK}, {"name": "a", "label": "Token", "value": MASK}]}),
            ),
            (
                json!({"headers": [{"Name": "X-A", "Value": "S"}, {"header": "X-A", "content": "S"}, {"header": "X-A: S", "content": "S"}]}),
                json!({"headers": [{"Name": "X-A", "Value": MASK}, {"header": "X-A", "content": MASK}, {"header": MASK, "content": MASK}]}),
            ),
            (
                json!({"headers": {"Name": "S"}, "table_options": [{"name": "token", "value": "S"}], "sort": {"token": "S"}}),
                json!({"headers": {"Name": MASK}, "table_options": [{"name": "token", "value": MASK}], "sort": {"token": MASK}}),
            ),
            (json!({"key": "S", "content": "shown"}), json!({"key": MASK, "content": "shown"})),
            // For the second encoding, the text of a text.
            (
                json!({"a": json!("{\"password\":\"S\"}").to_string(), "b": json!("{\"a\": 1}").to_string(), "c": "\"d\""}),
                json!({"a": json!("{\"password\":\"********\"}").to_string(), "b": json!("{\"a\": 1}").to_string(), "c": "\"d\""}),
            ),
            (
                json!({"keys": ["S3cr3t"], "search_key": "9f8e7d", "nested": {"keys": "id"}}),
                json!({"keys": [MASK], "search_key": MASK, "nested": {"keys": MASK}}),
            ),
        ] {
            assert_eq!(masked(value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn the_names_of_fields_and_choices_are_shown() {
        for value in [
            json!({"keys": ["id", "account.id"], "search_key": "id", "searchKeys": ["id"]}),
            json!({"pagination": {"key": "$.next[0]", "keys": ["a1"]}, "sort": [{"key": "created_at"}]}),
            json!({"tableobj": {"name": "Tokens", "value": "tblXYZ"}, "tables": [], "view": {"label": "Keys", "value": "v"}}),
            json!({"tableobj": {"id": "tbl1", "name": "Password"}}),
            json!({"headers": {"name": "X-A"}}),
            json!({"list": [{"label": "Users", "value": "u"}, {"header": "Accept", "content": "x"}]}),
            json!({"body": r#"{"token": null, "password": false, "signature": {"on": true}, "sig": []}"#}),
        ] {
            assert_eq!(masked(value.clone()), value);
        }
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
