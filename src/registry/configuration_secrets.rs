//! Secrets in the configuration of a model: masked where it is shown, kept where it is changed, and never overwritten
//! with their mask.
//!
//! Source: contract section 5 for what a configuration holds; gap G23 for masks that are sent back.

use serde_json::{Map, Value};

use super::input::is_empty;
use super::redaction::{MASK, mask, mask_text};
use super::secret_names::words;
use crate::polytomic::REDACTED;

/// The last word of the name of a text that is a query.
const QUERY_WORDS: &[&str] = &["query", "soql", "sql", "statement"];
/// For a model of files, the path of its file.
const FILE: &str = "key";
/// Characters that services write in place of those of a secret.
const MASKING: &[char] = &['*', '•', '●'];

/// Masks the secrets in the configuration of a model. SQL stays as it is: it is what the model is.
pub(crate) fn mask_configuration(configuration: &mut Map<String, Value>) {
    let stored = configuration.clone();
    mask(configuration);
    restore_queries(configuration, &stored);
    if let Some(Value::String(path)) = stored.get(FILE) {
        configuration.insert(FILE.to_owned(), mask_text(path).into());
    }
}

fn restore_queries(masked: &mut Map<String, Value>, stored: &Map<String, Value>) {
    for (name, value) in masked {
        match stored.get(name) {
            // A text that is masked as a whole is a secret because of what it is part of.
            Some(query) if is_query(name, query) && value != MASK => value.clone_from(query),
            Some(stored) => restore_queries_below(value, stored),
            None => {}
        }
    }
}

fn restore_queries_below(masked: &mut Value, stored: &Value) {
    match (masked, stored) {
        (Value::Object(masked), Value::Object(stored)) => restore_queries(masked, stored),
        (Value::Array(masked), Value::Array(stored)) => {
            let items = masked.iter_mut().zip(stored);
            items.for_each(|(masked, stored)| restore_queries_below(masked, stored));
        }
        _ => {}
    }
}

/// Whether a property is the text of a query: no SQL is one word, which the query of a URL is.
fn is_query(name: &str, value: &Value) -> bool {
    let has_name = || words(name).last().is_some_and(|word| QUERY_WORDS.contains(&word.as_str()));
    value.as_str().is_some_and(|text| text.trim().contains(char::is_whitespace)) && has_name()
}

/// The places of masks in a configuration, as paths that begin with its own; also those that the API or another service
/// has written.
pub(crate) fn places_of_masks(path: &str, configuration: &Map<String, Value>) -> Vec<String> {
    let mut places = Vec::new();
    for (name, value) in configuration.iter().filter(|(name, value)| !is_query(name, value)) {
        add_places(format!("{path}.{name}"), value, &mut places);
    }
    places
}

fn add_places(path: String, value: &Value, places: &mut Vec<String>) {
    match value {
        Value::String(text) if is_mask(text) => places.push(path),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                add_places(format!("{path}[{i}]"), item, places);
            }
        }
        Value::Object(map) => places.extend(places_of_masks(&path, map)),
        _ => {}
    }
}

/// Whether a text is a mask, or contains ours.
fn is_mask(text: &str) -> bool {
    let is_masking = text.chars().count() >= 3 && text.chars().all(|c| MASKING.contains(&c));
    let is_redacted = text.strip_prefix("Bearer ").unwrap_or(text) == "[redacted]";
    is_masking || is_redacted || text.contains(MASK)
}

/// The places in a request where it has the redaction of the API key in place of the key, SQL and names included.
pub(crate) fn places_of_redactions(request: &Map<String, Value>) -> Vec<String> {
    let mut places = Vec::new();
    for (name, value) in request {
        add_redactions(name.clone(), value, &mut places);
    }
    places
}

fn add_redactions(path: String, value: &Value, places: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains(REDACTED) => places.push(path),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                add_redactions(format!("{path}[{i}]"), item, places);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                let path = format!("{path}.{name}");
                if name.contains(REDACTED) {
                    places.push(path.clone());
                }
                add_redactions(path, value, places);
            }
        }
        _ => {}
    }
}

/// Adds the stored properties with a secret that a new configuration does not name, since its author has seen only their
/// masks. Null drops one.
pub(crate) fn keep_secrets(new: &mut Map<String, Value>, stored: &Map<String, Value>) {
    let mut masked = stored.clone();
    mask_configuration(&mut masked);
    keep_masked(new, stored, &masked);
}

/// The places of empty values in a new configuration where the stored one has a secret. Null drops one, so it is none.
pub(crate) fn places_of_emptied_secrets(
    path: &str,
    new: &Map<String, Value>,
    stored: &Map<String, Value>,
) -> Vec<String> {
    let mut masked = stored.clone();
    mask_configuration(&mut masked);
    let mut places = Vec::new();
    add_emptied_in(path, new, stored, &masked, &mut places);
    places
}

fn add_emptied_in(
    path: &str,
    new: &Map<String, Value>,
    stored: &Map<String, Value>,
    masked: &Map<String, Value>,
    places: &mut Vec<String>,
) {
    for (name, new) in new {
        if let (Some(stored), Some(masked)) = (stored.get(name), masked.get(name)) {
            add_emptied(format!("{path}.{name}"), new, stored, masked, places);
        }
    }
}

fn add_emptied(
    path: String,
    new: &Value,
    stored: &Value,
    masked: &Value,
    places: &mut Vec<String>,
) {
    if stored == masked || new.is_null() {
        return;
    }
    match (new, stored, masked) {
        (Value::Object(new), Value::Object(stored), Value::Object(masked)) => {
            if has_same_label(new, stored) {
                add_emptied_in(&path, new, stored, masked, places);
            }
        }
        (new, ..) if is_empty(new) => places.push(path),
        (Value::Array(new), Value::Array(stored), Value::Array(masked)) => {
            for (i, (new, (stored, masked))) in
                new.iter().zip(stored.iter().zip(masked)).enumerate()
            {
                add_emptied(format!("{path}[{i}]"), new, stored, masked, places);
            }
        }
        _ => {}
    }
}

/// Whether two objects may be the same item of a list: neither has another name than the other.
fn has_same_label(new: &Map<String, Value>, stored: &Map<String, Value>) -> bool {
    let differs = |label: &&str| {
        new.get(*label).zip(stored.get(*label)).is_some_and(|(new, stored)| new != stored)
    };
    !["name", "key"].iter().any(|label| differs(&label))
}

fn keep_masked(
    new: &mut Map<String, Value>,
    stored: &Map<String, Value>,
    masked: &Map<String, Value>,
) {
    for (name, stored) in stored {
        let Some(masked) = masked.get(name) else { continue };
        match (new.get_mut(name), stored, masked) {
            (Some(Value::Object(new)), Value::Object(stored), Value::Object(masked)) => {
                keep_masked(new, stored, masked);
            }
            (Some(_), ..) => {}
            (None, ..) => {
                let only = Map::from_iter([(name.clone(), masked.clone())]);
                if !places_of_masks("", &only).is_empty() {
                    new.insert(name.clone(), stored.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn masks_are_found_wherever_they_are() {
        let configuration = json!({
            "a": "********", "b": [{"c": "Bearer ********"}, ["***"]], "d": {"e": "••••••"},
            "f": "{\"password\":\"********\"}", "g": "https://********@h/", "h": "●●●",
            "query": "/******** all ********/ SELECT 1", "sql_query": "select '********' from t",
            "i": "*", "j": "**", "k": "a***b", "l": "", "m": 8, "n": null, "query_string": "a=********",
        });
        let places = places_of_masks("x", &object(configuration));
        assert_eq!(
            places,
            ["x.a", "x.b[0].c", "x.b[1][0]", "x.d.e", "x.f", "x.g", "x.h", "x.query_string"]
        );
    }

    #[test]
    fn secrets_that_a_change_does_not_name_stay() {
        let stored = json!({
            "path": "/v1", "method": "GET", "headers": [{"name": "Authorization", "value": "s"}],
            "auth": {"type": "basic", "basic": {"username": "u", "password": "p"}}, "query": "SELECT 'password=x'",
        });
        let (headers, auth) = (&stored["headers"], &stored["auth"]);
        for (new, expected) in [
            (json!({"path": "/v2"}), json!({"path": "/v2", "headers": headers, "auth": auth})),
            (json!({}), json!({"headers": headers, "auth": auth})),
            (
                json!({"headers": null, "auth": {"type": "none"}}),
                json!({"headers": null, "auth": {"type": "none", "basic": auth["basic"]}}),
            ),
            (
                json!({"headers": [], "auth": {"basic": {"username": "v"}}}),
                json!({"headers": [], "auth": {"basic": {"username": "v", "password": "p"}}}),
            ),
            (json!({"headers": "x", "auth": null}), json!({"headers": "x", "auth": null})),
        ] {
            let mut kept = object(new.clone());
            keep_secrets(&mut kept, stored.as_object().unwrap());
            assert_eq!(Value::Object(kept), expected, "{new}");
        }
        // What the API masks itself is not dropped unnoticed either.
        let mut kept = Map::new();
        keep_secrets(&mut kept, &object(json!({"x": "********", "table": "t"})));
        assert_eq!(Value::Object(kept), json!({"x": "********"}));
    }

    fn configuration() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "password", "headers", "path", "key", "query", "auth", "name", "value", "token", "a",
        ]);
        let leaf = prop_oneof![
            "[a-z ]{0,6}".prop_map(Value::from),
            Just(json!("https://u:p@h/?token=x")),
            any::<i8>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 16, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..4).prop_map(|entries| {
                    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_that_is_masked_has_a_place_and_stays(stored in configuration()) {
            let stored = object(json!({"root": stored}));
            let mut masked = stored.clone();
            mask_configuration(&mut masked);
            let places = places_of_masks("", &masked);
            prop_assert_eq!(places.is_empty(), masked == stored, "{:?} {:?}", places, masked);
            let mut kept = Map::new();
            keep_secrets(&mut kept, &stored);
            prop_assert_eq!(kept.is_empty(), places.is_empty());
            let mut again = masked.clone();
            mask_configuration(&mut again);
            prop_assert_eq!(again, masked);
        }
    }
}
