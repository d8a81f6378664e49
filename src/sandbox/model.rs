//! Models, as the API returns them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::account::Actor;

pub(super) const FIELD_TYPES: [&str; 8] =
    ["unknown", "string", "number", "boolean", "datetime", "object", "array", "binary"];

/// A model, as the API returns it; without an id it is a preview.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) id: Option<Uuid>,
    pub(super) name: String,
    pub(super) r#type: String,
    pub(super) version: u64,
    pub(super) organization_id: Uuid,
    pub(super) connection_id: Uuid,
    pub(super) configuration: Map<String, Value>,
    pub(super) identifier: Option<String>,
    pub(super) fields: Vec<Field>,
    pub(super) tracking_columns: Option<Vec<String>>,
    pub(super) relations: Option<Vec<Relation>>,
    pub(super) enricher: Option<Map<String, Value>>,
    pub(super) labels: Option<Vec<Value>>,
    pub(super) policies: Option<Vec<String>>,
    pub(super) created_at: String,
    pub(super) created_by: Actor,
    pub(super) updated_at: String,
    pub(super) updated_by: Actor,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Field {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) description: Option<String>,
    pub(super) r#type: String,
    pub(super) remote_type: Option<String>,
    pub(super) unique: bool,
    pub(super) user_added: bool,
    pub(super) example: Value,
    pub(super) created_at: String,
    pub(super) created_by: Actor,
    pub(super) updated_at: String,
}

/// A field declared by the caller.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AdditionalField {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) r#type: String,
    pub(super) example: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Relation {
    pub(super) from: String,
    pub(super) to: RelationEnd,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RelationEnd {
    pub(super) model_id: Uuid,
    pub(super) field: String,
}

impl Model {
    /// Takes over the version and the creation times of the stored model that it replaces.
    pub(super) fn replacing(mut self, old: &Self) -> Self {
        self.version = old.version.saturating_add(1);
        self.created_at.clone_from(&old.created_at);
        self.created_by = old.created_by.clone();
        for field in &mut self.fields {
            if let Some(old_field) = old.fields.iter().find(|old| old.name == field.name) {
                field.created_at.clone_from(&old_field.created_at);
            }
        }
        self
    }
}
