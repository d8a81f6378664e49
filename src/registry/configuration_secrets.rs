//! Secrets in the configuration of a model: masked where it is shown, kept where it is changed, and never overwritten
//! with their mask.
//!
//! Source: contract section 5 for what a configuration holds; gap G23 for masks that are sent back.

use serde::de::IgnoredAny;
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
const MASKING: &[char] = &['*', '＊', '•', '●', '·', '∙', '⋅', '∗', '█', '▪', '■'];

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

/// Whether a property is the text of a query: no SQL is one word, which the query of a URL is, or JSON.
fn is_query(name: &str, value: &Value) -> bool {
    let has_name = || words(name).last().is_some_and(|word| QUERY_WORDS.contains(&word.as_str()));
    let is_json = |text: &str| {
        text.starts_with(['{', '[', '"']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
    };
    let is_sql = |text: &str| text.contains(char::is_whitespace) && !is_json(text);
    value.as_str().is_some_and(|text| is_sql(text.trim())) && has_name()
}

/// A mask in a configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MaskPlace {
    /// The path, which begins with that of the configuration.
    pub(crate) path: String,
    /// The text, if it may as well be a value of its own: its name is not that of a secret, and it is not the mask of
    /// the API.
    pub(crate) may_be_value: Option<String>,
}

/// The places of masks in a configuration; also of those that the API or another service has written.
pub(crate) fn places_of_masks(path: &str, configuration: &Map<String, Value>) -> Vec<MaskPlace> {
    let mut masked = configuration.clone();
    mask_configuration(&mut masked);
    let mut places = Vec::new();
    add_places_in(path, configuration, &masked, &mut places);
    places
}

fn add_places_in(
    path: &str,
    map: &Map<String, Value>,
    masked: &Map<String, Value>,
    places: &mut Vec<MaskPlace>,
) {
    for (name, value) in map.iter().filter(|(name, value)| !is_query(name, value)) {
        if let Some(masked) = masked.get(name) {
            add_places(format!("{path}.{name}"), value, masked, places);
        }
    }
}

/// `masked`: the value with its secrets masked, which says whether it is one.
fn add_places(path: String, value: &Value, masked: &Value, places: &mut Vec<MaskPlace>) {
    match (value, masked) {
        (Value::String(text), masked) => {
            let is_secret = masked == MASK;
            let is_mask = contains_mask(text) || (is_secret && is_mask_of_secret(text));
            if is_mask || is_all_masking(text) {
                let may_be_value = (!is_mask).then(|| text.clone());
                places.push(MaskPlace { path, may_be_value });
            }
        }
        (Value::Array(items), Value::Array(masked)) => {
            for (i, (item, masked)) in items.iter().zip(masked).enumerate() {
                add_places(format!("{path}[{i}]"), item, masked, places);
            }
        }
        (Value::Object(map), Value::Object(masked)) => add_places_in(&path, map, masked, places),
        _ => {}
    }
}

/// Whether a text contains our mask, or is one behind the scheme of a credential. Comments of SQL are no masks, and JSON
/// text may have escaped it.
fn contains_mask(text: &str) -> bool {
    let is_json = text.trim_start().starts_with(['{', '[']);
    if is_json && let Ok(value) = serde_json::from_str::<Value>(text) {
        return value.to_string().contains(MASK);
    }
    let credential = ["bearer ", "basic ", "token "].into_iter().find_map(|scheme| {
        let (start, rest) = text.trim().split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    credential.is_some_and(is_mask_of_secret)
        || (text.contains(MASK) && without_comments(text).contains(MASK))
}

/// A text without comments as SQL has them, in linear time. The two slashes of a URL begin none.
fn without_comments(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    let (mut has_block_end, mut has_line_end) = (true, true);
    while let Some((before, from)) = rest.find(['/', '-']).and_then(|at| rest.split_at_checked(at))
    {
        kept.push_str(before);
        let last = kept.chars().next_back();
        let (end, has_end) = if from.starts_with("/*") && !matches!(last, Some('/' | ':')) {
            ("*/", &mut has_block_end)
        } else if from.starts_with("--") && last.is_none_or(char::is_whitespace) {
            ("\n", &mut has_line_end)
        } else {
            ("", &mut false)
        };
        let inside = from.get(2..).filter(|_| *has_end);
        let length = inside.and_then(|inside| inside.find(end));
        *has_end &= length.is_some();
        rest = if let Some(length) = length {
            from.get(2 + length + end.len()..).unwrap_or_default()
        } else {
            kept.push_str(from.get(..1).unwrap_or_default());
            from.get(1..).unwrap_or_default()
        };
    }
    kept + rest
}

/// Whether a text is nothing but characters that stand for others.
fn is_all_masking(text: &str) -> bool {
    text.chars().count() >= 3 && text.chars().all(|c| MASKING.contains(&c))
}

/// Whether the value of a secret is only a mask of it, which may show a few of its characters.
fn is_mask_of_secret(text: &str) -> bool {
    /// As services show of a key.
    const MAX_SHOWN_CHARACTERS: usize = 8;
    let text = text.trim();
    let is_dot = |c: char| c == '.' || c == '…';
    let is_masking = |c: char| MASKING.contains(&c) || is_dot(c);
    let count = text.chars().count();
    let masking = text.chars().filter(|c| is_masking(*c)).count();
    if text == "[redacted]" || text == "…" || (count >= 2 && masking == count && text != "**") {
        return true;
    }
    let shown = text.trim_matches(|c| MASKING.contains(&c));
    let hidden = count - shown.chars().count();
    let has_only_plain = shown.chars().all(|c| c.is_alphanumeric() || "-_ ".contains(c));
    hidden >= 4 && has_only_plain && shown.chars().count() <= MAX_SHOWN_CHARACTERS
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
        (Value::Object(new), Value::Object(stored), Value::Object(masked))
            if has_same_label(new, stored) =>
        {
            add_emptied_in(&path, new, stored, masked, places);
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
    let differs = |label: &str| {
        new.get(label).zip(stored.get(label)).is_some_and(|(new, stored)| new != stored)
    };
    !["name", "key"].iter().any(|label| differs(label))
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
        let paths: Vec<String> = places.into_iter().map(|place| place.path).collect();
        assert_eq!(
            paths,
            ["x.a", "x.b[0].c", "x.b[1][0]", "x.d.e", "x.f", "x.g", "x.h", "x.query_string"]
        );
    }

    #[test]
    fn comments_are_found_in_linear_time() {
        for part in ["/*", "--", " -- ", "/", "/* */", "é/*-"] {
            let text = part.repeat(1_000_000 / part.len());
            assert!(without_comments(&text).len() <= text.len(), "{part}");
        }
        for (text, kept) in [
            ("a /*/ b */ c", "a  c"),
            ("-- a\nb -- c\nd--e", "b d--e"),
            ("https://*/", "https://*/"),
            ("/* open", "/* open"),
        ] {
            assert_eq!(without_comments(text), kept, "{text}");
        }
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
