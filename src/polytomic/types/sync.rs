//! Model syncs: they read models and write to a target.
//!
//! Source: API reference "List Model Syncs" and "Get Model Sync", 2025-09-18. List items are shorter:
//! `target_connection_id` and `target_object` replace `target`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Actor, ModelId};

response_type! {
    /// A model sync. Its mappings, filters and other properties are kept in `rest`.
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
    /// Whether a model's id appears anywhere in the sync: for one without `model_ids`.
    #[must_use]
    pub fn mentions(&self, model: ModelId) -> bool {
        json!(self).to_string().to_lowercase().contains(&model.to_string())
    }

    /// Whether the sync reads a model.
    #[must_use]
    pub fn reads(&self, model: ModelId) -> bool {
        self.model_ids.iter().flatten().any(|id| Uuid::parse_str(id).is_ok_and(|id| id == model.0))
    }
}
