//! The arguments of an update: options, and the properties of the object to change, all optional.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, json};

use super::changes::Patch;
use crate::registry::{Problem, Problems, ToolError, deserialize};

/// The options of an update.
pub(in crate::tools) trait UpdateOptions: DeserializeOwned + JsonSchema {
    /// A new object, whose properties are those that can be changed.
    type New: DeserializeOwned + Serialize + JsonSchema;
    /// Names of the options.
    const NAMES: &[&str];

    /// Values for what a new object requires, so that the others can be validated without them.
    fn placeholders() -> Value;

    /// What the update asks for, with the passed properties in the shape of the API.
    fn patch(&self, properties: Map<String, Value>) -> Patch;
}

/// The arguments of an update.
pub(in crate::tools) struct UpdateArguments<O> {
    pub(in crate::tools) options: O,
    pub(in crate::tools) patch: Patch,
}

impl<'de, O: UpdateOptions> Deserialize<'de> for UpdateArguments<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message already contains the path.
        let custom = |error: ToolError| de::Error::custom(error.message.trim_end_matches('.'));
        parse(Map::deserialize(deserializer)?).map_err(custom)
    }
}

impl<O: UpdateOptions> JsonSchema for UpdateArguments<O> {
    fn schema_name() -> Cow<'static, str> {
        O::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = O::json_schema(generator);
        let mut properties = O::New::json_schema(generator).remove("properties");
        if let (Some(Value::Object(options)), Some(Value::Object(object))) =
            (schema.get_mut("properties"), &mut properties)
        {
            options.append(object);
        }
        schema
    }
}

/// Separates the options from the properties.
fn parse<O: UpdateOptions>(
    mut arguments: Map<String, Value>,
) -> Result<UpdateArguments<O>, ToolError> {
    let mut options = Map::new();
    for name in O::NAMES {
        if let Some(value) = arguments.shift_remove(*name) {
            options.insert((*name).to_owned(), value);
        }
    }
    let options: O = deserialize(options)?;
    let mut definition = arguments.clone();
    if let Value::Object(placeholders) = O::placeholders() {
        for (name, placeholder) in placeholders {
            definition.entry(name).or_insert(placeholder);
        }
    }
    let definition: O::New = deserialize(definition)?;
    let Value::Object(mut properties) = json!(definition) else {
        return Err(ToolError::internal());
    };
    properties.retain(|name, _| arguments.contains_key(name));
    let patch = options.patch(properties);
    Ok(UpdateArguments { options, patch })
}

/// The names of properties, of which an enum has those that can be cleared.
pub(in crate::tools) fn names_of(properties: &[impl Serialize]) -> Vec<String> {
    properties.iter().filter_map(|name| Some(json!(name).as_str()?.to_owned())).collect()
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
