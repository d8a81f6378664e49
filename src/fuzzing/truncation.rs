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
        let shortened = truncation::shorten_examples(&text, limit, lists.as_deref());
        if let Ok(Some((shortened, lists))) = shortened {
            let shortened = json(&shortened.root);
            let bytes = truncation::written_bytes(&shortened.to_string());
            assert!(bytes + NOTE_BYTES <= limit, "{bytes} bytes with a limit of {limit}");
            assert!(
                is_part(&without_examples(&shortened), &without_examples(&original), false),
                "{shortened}"
            );
            assert!(lists.iter().any(|list| list.list == "examples"), "{lists:?}");
        }
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

/// A result without the examples of a model's fields.
fn without_examples(result: &Value) -> Value {
    let mut result = result.clone();
    let Value::Object(properties) = &mut result else { return result };
    for (name, value) in properties {
        if ["model", "job", "result"].contains(&name.as_str()) {
            *value = without_examples(value);
        } else if name == "fields" {
            let fields = value.as_array_mut().into_iter().flatten();
            for field in fields.filter_map(Value::as_object_mut) {
                field.remove("example");
            }
        }
    }
    result
}

/// Whether a value is another one with shorter lists and texts.
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
            (may_lack_properties || part.len() == whole.len())
                && part.iter().all(|(name, part)| {
                    whole.get(name).is_some_and(|whole| is_part(part, whole, may_lack_properties))
                })
        }
        (Value::String(part), Value::String(whole)) => {
            part == whole || {
                let mark = format!("… (truncated: {} characters in total)", whole.chars().count());
                part.strip_suffix(&mark).is_some_and(|beginning| whole.starts_with(beginning))
            }
        }
        _ => part == whole,
    }
}
