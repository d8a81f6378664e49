//! How much of each thing a list answers, a summary to choose by or all there is, and which by their names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How much of each, e.g. `full`; default `summary`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Detail {
    #[default]
    Summary,
    Full,
}

impl Detail {
    /// The thing, or what `summary` makes of it, as an object.
    pub(super) fn of<T: Serialize, S: Serialize>(
        self,
        thing: T,
        summary: impl FnOnce(T) -> S,
    ) -> Map<String, Value> {
        match self {
            Self::Summary => object(&summary(thing)),
            Self::Full => object(&thing),
        }
    }
}

/// A struct as an object, without what is null.
pub(super) fn object(thing: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(thing) else { return Map::new() };
    map.retain(|_, value| !value.is_null());
    map
}

/// Text in the name, any case, e.g. `user`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct NamePart(#[schemars(length(min = 1, max = 255))] String);

/// Whether a name contains what is looked for, case ignored.
pub(super) fn contains(name: Option<&str>, part: Option<&NamePart>) -> bool {
    part.is_none_or(|NamePart(part)| {
        name.is_some_and(|name| name.to_lowercase().contains(&part.to_lowercase()))
    })
}
