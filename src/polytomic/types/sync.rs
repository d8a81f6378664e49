//! Model syncs: what reads models and writes to a target.
//!
//! Source: API reference "List Model Syncs" and "Get Model Sync", 2025-09-18. The list's items are lighter:
//! there `target` is missing, and `target_connection_id` and `target_object` stand in its place.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Actor, ModelId};

answer! {
    /// A model sync. Its mappings, filters and other properties stand in `rest`, as the API has them.
    ModelSync {
        id: String,
        name: String,
        active: bool,
        /// For example `updateOrCreate`.
        mode: String,
        /// The models it reads.
        model_ids: Vec<String>,
        schedule: Map<String, Value>,
        target: Map<String, Value>,
        target_connection_id: String,
        target_object: String,
        organization_id: String,
        created_at: String,
        #[schemars(with = "Option<Map<String, Value>>")]
        created_by: Actor,
        updated_at: String,
        #[schemars(with = "Option<Map<String, Value>>")]
        updated_by: Actor,
    }
}

impl ModelSync {
    /// Whether a model's id stands anywhere in it: for one that does not say its `model_ids`.
    #[must_use]
    pub fn mentions(&self, model: ModelId) -> bool {
        json!(self).to_string().to_lowercase().contains(&model.to_string())
    }

    /// Whether it reads a model.
    #[must_use]
    pub fn reads(&self, model: ModelId) -> bool {
        self.model_ids.iter().flatten().any(|id| Uuid::parse_str(id).is_ok_and(|id| id == model.0))
    }
}
