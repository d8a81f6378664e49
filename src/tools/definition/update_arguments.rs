//! The arguments of an update: options, and the properties of the object to change, all optional.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::changes::Patch;
use crate::registry::{Problem, Problems, ToolError, deserialize};

/// The schema of options `O` and of the properties of a new object `N`.
pub(in crate::tools) fn update_schema<O: JsonSchema, N: JsonSchema>(
    generator: &mut SchemaGenerator,
) -> Schema {
    let mut schema = O::json_schema(generator);
    let mut properties = N::json_schema(generator).remove("properties");
    if let (Some(Value::Object(options)), Some(Value::Object(object))) =
        (schema.get_mut("properties"), &mut properties)
    {
        options.append(object);
    }
    schema
}

/// The options with these names, and the passed properties in the shape of the API. `placeholders`: values for what `N` requires,
/// so that the others can be validated without them.
///
/// # Errors
/// `invalid_argument` with the place.
pub(in crate::tools) fn split_update<
    O: DeserializeOwned,
    N: DeserializeOwned + Serialize,
    const P: usize,
>(
    mut arguments: Map<String, Value>,
    option_names: &[&str],
    placeholders: [(&str, Value); P],
) -> Result<(O, Map<String, Value>), ToolError> {
    let mut options = Map::new();
    for name in option_names {
        if let Some(value) = arguments.shift_remove(*name) {
            options.insert((*name).to_owned(), value);
        }
    }
    let options: O = deserialize(options)?;
    let mut definition = arguments.clone();
    for (name, placeholder) in placeholders {
        definition.entry(name).or_insert(placeholder);
    }
    let definition: N = deserialize(definition)?;
    let Value::Object(mut properties) = json!(definition) else {
        return Err(ToolError::internal());
    };
    properties.retain(|name, _| arguments.contains_key(name));
    Ok((options, properties))
}

/// Validates what a schema cannot express: properties that are passed and cleared, and those that `replace` requires.
///
/// # Errors
/// `invalid_argument` with each of them.
pub(in crate::tools) fn check_combination(
    patch: &Patch,
    required: &[&str],
) -> Result<(), ToolError> {
    let mut problems = Problems::default();
    for name in patch.cleared.iter().filter(|name| patch.properties.contains_key(*name)) {
        problems.add(|| {
            let hint = format!("Pass `{name}`, or name it in `clear`.");
            let expected = "properties that are not passed as well";
            Problem::new("clear", expected, &format!("\"{name}\""), hint)
        });
    }
    for name in required {
        if patch.replaces && !patch.properties.contains_key(*name) {
            problems.add(|| {
                let (last, others) = required.split_last().unwrap_or((&"", &[]));
                let expected =
                    format!("a value, since `replace` requires {} and {last}", others.join(", "));
                let hint = format!("Pass `{name}`, or leave out `replace`.");
                Problem::new(name, &expected, "nothing", hint)
            });
        }
    }
    problems.into_result()
}
