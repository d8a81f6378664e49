//! The level of detail of listed objects: a summary to choose from, or the complete object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Detail, e.g. `full`; default `summary`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::tools) enum Detail {
    #[default]
    Summary,
    Full,
}

impl Detail {
    /// The complete value, or its summary, as a JSON object.
    pub(in crate::tools) fn render<T: Serialize, S: Serialize>(
        self,
        value: T,
        summarize: impl FnOnce(T) -> S,
    ) -> Map<String, Value> {
        match self {
            Self::Summary => to_object(&summarize(value)),
            Self::Full => to_object(&value),
        }
    }
}

/// A struct as a JSON object, without null properties.
pub(in crate::tools) fn to_object(value: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(value) else { return Map::new() };
    map.retain(|_, value| !value.is_null());
    map
}
