//! Ids as newtypes, so that one kind of id cannot be passed for another.
//!
//! Ids of models, connections, syncs and jobs are validated as UUIDs before anything is sent; the ids of other
//! objects are free text in the API (gap G19).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $source:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                uuid(deserializer, $source).map(Self)
            }
        }
    };
}

id! {
    /// A UUID from `list_models`.
    ModelId, "list_models"
}
id! {
    /// A UUID from `list_connections`.
    ConnectionId, "list_connections"
}
id! {
    /// A UUID from `list_model_syncs`.
    SyncId, "list_model_syncs"
}
id! {
    /// A UUID from `list_model_sync_executions`.
    ExecutionId, "list_model_sync_executions"
}
id! {
    /// The UUID `job_id` of an unfinished call.
    JobId, "the call that started it"
}

/// The error says what was expected and what was passed, as every error about an argument does.
fn uuid<'de, D: Deserializer<'de>>(deserializer: D, source: &str) -> Result<Uuid, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Uuid::parse_str(&text).map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        de::Error::custom(format!(
            "expected a UUID from {source}, e.g. 248df4b7-aa70-47b8-a036-33ac447e668d, got the string {shown:?}"
        ))
    })
}
