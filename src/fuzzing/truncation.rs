//! Results that are truncated.

use serde_json::Value;

use super::{json, object};
use crate::registry::truncation::{self, MIN_RESULT_BYTES, NOTE_BYTES};

/// A truncated result is within its limit and holds nothing that was not there before.
pub fn truncation(data: &[u8]) {
    let Some(object) = object(data) else { return };
    let original = Value::Object(object);
    let text = original.to_string();
    let minimum = usize::try_from(MIN_RESULT_BYTES).unwrap_or_default();
    for limit in [minimum, 3 * minimum] {
        let fits = truncation::written_bytes(&text) <= limit;
        assert!(truncation::fits(&text, limit) == fits);
        if fits {
            continue;
        }
        let excerpt = || truncation::excerpt(&text, limit);
        let Ok(mut truncated) = excerpt() else { return };
        let mut lists = truncation::truncate(&mut truncated, limit);
        let lacks_properties = lists.is_none();
        if lacks_properties {
            let Ok(again) = excerpt() else { return };
            truncated = again;
            lists = truncation::remove_properties(&mut truncated, limit);
        }
        let Some(lists) = lists else { continue };
        let truncated = json(&truncated.root);
        let bytes = truncation::written_bytes(&truncated.to_string());
        assert!(bytes + NOTE_BYTES <= limit, "{bytes} bytes with a limit of {limit}");
        assert!(is_part(&truncated, &original, lacks_properties), "{truncated}");
        assert!(lists.iter().all(|list| list.shown < list.total), "{lists:?}");
        assert!(!lists.is_empty());
    }
}

/// Whether a value is another one with shorter lists and texts, and without examples.
fn is_part(part: &Value, whole: &Value, may_lack_properties: bool) -> bool {
    match (part, whole) {
        (Value::Array(part), Value::Array(whole)) => {
            part.len() <= whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .all(|(part, whole)| is_part(part, whole, may_lack_properties))
        }
        (Value::Object(part), Value::Object(whole)) => {
            let may_lack = |name: &String| may_lack_properties || name == "example";
            whole.keys().all(|name| part.contains_key(name) || may_lack(name))
                && part.iter().all(|(name, part)| {
                    whole.get(name).is_some_and(|whole| is_part(part, whole, may_lack_properties))
                })
        }
        (Value::String(part), Value::String(whole)) => {
            part == whole || {
                let mark = format!("… (truncated: {} characters in total)", whole.chars().count());
                let beginning = part.strip_suffix(&mark).or(part.strip_suffix('…'));
                beginning.is_some_and(|beginning| whole.starts_with(beginning))
            }
        }
        _ => part == whole,
    }
}
