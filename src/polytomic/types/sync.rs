//! Model syncs: what reads models and writes to a target.
//!
//! Source: API reference "List Model Syncs" and "Get Model Sync", 2025-09-18. The list's items are lighter:
//! there `target` is missing, and `target_connection_id` and `target_object` stand in its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::{Actor, ModelId};

/// A model sync as the API answers it. Every property may be missing.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference's own words")]
pub struct ModelSync {
    pub id: Option<String>,
    pub name: Option<String>,
    pub active: Option<bool>,
    /// For example `updateOrCreate`.
    pub mode: Option<String>,
    /// The models it reads.
    pub model_ids: Option<Vec<String>>,
    pub schedule: Option<Map<String, Value>>,
    pub target: Option<Map<String, Value>>,
    pub target_connection_id: Option<String>,
    pub target_object: Option<String>,
    pub organization_id: Option<String>,
    pub created_at: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub created_by: Option<Actor>,
    pub updated_at: Option<String>,
    #[schemars(with = "Option<Map<String, Value>>")]
    pub updated_by: Option<Actor>,
    /// Its mappings, filters and other properties, as the API has them.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
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
