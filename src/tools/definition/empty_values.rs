//! Empty values in an update: clients fill arguments that they do not use, and nothing may be erased by that.
//!
//! An empty value for a property that holds nothing counts as not passed. For a property that holds something it is
//! an error, since it may be filling as well as a wish to clear the property, which `clear` states.

use serde_json::{Map, Value};

use super::changes::Patch;
use crate::registry::{ObjectKind, Problem, Problems, SYNC, ToolError, is_empty};

/// Properties that cannot be empty.
const NOT_CLEARABLE: [&str; 8] = [
    "connection_id",
    "name",
    "configuration",
    "organization_id",
    // Of a sync.
    "target",
    "mode",
    "schedule",
    "active",
];
/// Objects with properties that an empty value may erase.
const NESTED: [&str; 2] = ["enricher", "target"];

/// Checks that the empty values among the arguments erase nothing. With `replace`, and for a property in `clear`,
/// erasing is what the caller asks for. `paths`: where the empty values are.
///
/// # Errors
/// `invalid_argument` with each property that holds something, and how to keep or clear it.
pub(in crate::tools) fn check_empty_values(
    kind: ObjectKind,
    stored: &Map<String, Value>,
    patch: &Patch,
    paths: &[String],
) -> Result<(), ToolError> {
    if paths.is_empty() || patch.replaces {
        return Ok(());
    }
    let mut problems = Problems::default();
    let mut add = |path: &str, hint: String| {
        let expected = format!("a value, since the {} holds one", kind.noun);
        problems.add(|| Problem::new(path, &expected, "an empty one", hint));
    };
    let (mut properties, mut clearable) = (Vec::new(), Vec::new());
    for name in paths.iter().map(String::as_str) {
        if stored.get(name).is_none_or(is_empty) || patch.names(name) {
            continue;
        }
        properties.push(name);
        if NOT_CLEARABLE.contains(&name) || (name == "fields" && kind == SYNC) {
            add(name, format!("Leave out `{name}` to keep it; `clear` cannot empty it."));
        } else {
            clearable.push(name);
            add(name, format!("Leave out `{name}` to keep it, or name it in `clear` to empty it."));
        }
    }
    for object in NESTED {
        for name in emptied_in(object, stored, patch, paths) {
            let clear = match NOT_CLEARABLE.contains(&object) {
                true => String::new(),
                false => format!("; `clear` empties `{object}`"),
            };
            let hint = format!(
                "`{object}` is replaced as a whole: pass its `{name}` to keep them, or leave `{name}` out of it to drop \
                 them{clear}."
            );
            add(&format!("{object}.{name}"), hint);
        }
    }
    problems.into_result().map_err(|error| match (properties.as_slice(), clearable.as_slice()) {
        ([], _) | ([_], _) => error,
        (_, []) => error.with_hint(format!(
            "Leave out {} to keep them; `clear` cannot empty them.",
            listed(&properties)
        )),
        _ => error.with_hint(format!(
            "Leave out {} to keep them; to empty {}, name them in `clear`.",
            listed(&properties),
            listed(&clearable)
        )),
    })
}

/// Properties of a passed object that are empty, while those of the stored one for the same connection are not.
fn emptied_in<'a>(
    object: &str,
    stored: &Map<String, Value>,
    patch: &Patch,
    paths: &'a [String],
) -> Vec<&'a str> {
    let prefix = format!("{object}.");
    let connection = |value: &Value| {
        let id = value.get("connection_id").and_then(Value::as_str);
        id.map(str::to_ascii_lowercase)
    };
    let Some(stored) = stored.get(object) else { return Vec::new() };
    let passed = patch.properties.get(object).and_then(connection);
    if passed.is_none() || passed != connection(stored) {
        return Vec::new();
    }
    let emptied = paths.iter().filter_map(|path| path.strip_prefix(&prefix));
    // Without an id the stored one is kept.
    emptied
        .filter(|name| *name != "enricher_id")
        .filter(|name| stored.get(*name).is_some_and(|value| !is_empty(value)))
        .collect()
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
