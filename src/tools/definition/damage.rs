//! Damaged responses and updates: what an update repeats of the model that it has read must be what the API has.

use serde_json::{Map, Value};

use super::changes::Patch;
use crate::polytomic::RepairLog;
use crate::registry::{Context, ToolError};

/// Properties that no request contains.
const NEVER_WRITTEN: [&str; 4] = ["created_at", "created_by", "updated_at", "updated_by"];

/// Checks that nothing that an update repeats was damaged when it was read. Damage to what is not written, or is replaced,
/// does not matter. `definition`: the request.
///
/// # Errors
/// As [`Context::require_undamaged`].
pub(in crate::tools) fn require_undamaged_definition(
    cx: &Context,
    definition: &Map<String, Value>,
    patch: &Patch,
) -> Result<(), ToolError> {
    let kept = kept(definition, patch);
    let is_harmless = |place: &String| {
        let mut path = place.strip_prefix("data.").unwrap_or_default().split(['.', '[']);
        match path.next().unwrap_or_default() {
            name if NEVER_WRITTEN.contains(&name) => true,
            // A part of it may be kept.
            name => patch.properties.contains_key(name) && !kept.contains_key(name),
        }
    };
    let places = cx.call_options().repairs.as_ref().and_then(RepairLog::lossy_places);
    if places.is_some_and(|places| places.iter().all(is_harmless)) {
        return Ok(());
    }
    cx.require_undamaged(&kept.into())
}

/// What a request repeats of the stored model: the properties that the update does not name, and what `apply` has kept
/// inside the others.
fn kept(definition: &Map<String, Value>, patch: &Patch) -> Map<String, Value> {
    let unnamed = definition.iter().filter(|(name, _)| !patch.cleared.contains(name));
    unpassed(unnamed, &patch.properties)
}

fn unpassed<'a>(
    written: impl IntoIterator<Item = (&'a String, &'a Value)>,
    passed: &Map<String, Value>,
) -> Map<String, Value> {
    let part = |name: &String, written: &Value| match (written, passed.get(name)) {
        (_, None) => Some(written.clone()),
        (Value::Object(written), Some(Value::Object(passed))) => {
            let part = unpassed(written, passed);
            (!part.is_empty()).then(|| part.into())
        }
        _ => None,
    };
    written
        .into_iter()
        .filter_map(|(name, written)| Some((name.clone(), part(name, written)?)))
        .collect()
}
