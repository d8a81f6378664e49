//! Empty values in an update: clients fill arguments that they do not use, and nothing may be erased by that.
//!
//! An empty value for a property that holds nothing counts as not passed. For a property that holds something it is
//! an error, since it may be filling as well as a wish to clear the property, which `clear` states.

use super::changes::{Patch, current_definition, has_same_connection};
use crate::polytomic::Model;
use crate::registry::{Problem, Problems, ToolError, is_empty};

/// Properties that every model needs.
const NOT_CLEARABLE: [&str; 4] = ["connection_id", "name", "configuration", "organization_id"];

/// Checks that the empty values among the arguments erase nothing. With `replace`, and for a property in `clear`,
/// erasing is what the caller asks for. `paths`: where the empty values are.
///
/// # Errors
/// `invalid_argument` with each property that holds something, and how to keep or clear it.
pub(in crate::tools) fn check_empty_values(
    model: &Model,
    patch: &Patch,
    paths: &[String],
) -> Result<(), ToolError> {
    if paths.is_empty() || patch.replaces {
        return Ok(());
    }
    let mut problems = Problems::default();
    let mut add = |path: &str, hint: String| {
        let expected = "a value, since the model holds one";
        problems.add(|| Problem::new(path, expected, "an empty one", hint));
    };
    let stored = current_definition(model);
    let (mut properties, mut clearable) = (Vec::new(), Vec::new());
    for name in paths.iter().map(String::as_str) {
        if stored.get(name).is_none_or(is_empty) || patch.names(name) {
            continue;
        }
        properties.push(name);
        if NOT_CLEARABLE.contains(&name) {
            add(name, format!("Leave out `{name}` to keep it; `clear` cannot empty it."));
        } else {
            clearable.push(name);
            add(name, format!("Leave out `{name}` to keep it, or name it in `clear` to empty it."));
        }
    }
    for name in emptied_in_enricher(model, patch, paths) {
        let hint = format!(
            "`enricher` is replaced as a whole: pass its `{name}` to keep them, or leave `{name}` out of it to drop \
             them; `clear` empties `enricher`."
        );
        add(&format!("enricher.{name}"), hint);
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

/// Properties of the passed enricher that are empty, while those of the stored one are not.
fn emptied_in_enricher<'a>(
    model: &Model,
    patch: &Patch,
    paths: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let stored = model.enricher.as_ref().zip(patch.properties.get("enricher"));
    let stored = stored.filter(|(stored, passed)| has_same_connection(passed, stored));
    let stored = stored.map(|(stored, _)| serde_json::json!(stored)).unwrap_or_default();
    paths.iter().filter_map(|path| path.strip_prefix("enricher.")).filter(move |name| {
        // Without an id the stored one is kept.
        *name != "enricher_id" && stored.get(*name).is_some_and(|value| !is_empty(value))
    })
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
