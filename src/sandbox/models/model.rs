//! Models, as the API returns them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::sandbox::accounts::Actor;
use crate::sandbox::models::configuration::Configuration;

pub(in crate::sandbox) const FIELD_TYPES: [&str; 8] =
    ["unknown", "string", "number", "boolean", "datetime", "object", "array", "binary"];

/// A model, as the API returns it; without an id it is a preview.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Model {
    pub(in crate::sandbox) id: Option<Uuid>,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) r#type: String,
    pub(in crate::sandbox) version: u64,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) connection_id: Uuid,
    pub(in crate::sandbox) configuration: Configuration,
    pub(in crate::sandbox) identifier: Option<String>,
    pub(in crate::sandbox) fields: Vec<Field>,
    pub(in crate::sandbox) tracking_columns: Option<Vec<String>>,
    pub(in crate::sandbox) relations: Option<Vec<Relation>>,
    pub(in crate::sandbox) enricher: Option<Map<String, Value>>,
    pub(in crate::sandbox) labels: Option<Vec<Value>>,
    pub(in crate::sandbox) policies: Option<Vec<String>>,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) created_by: Actor,
    pub(in crate::sandbox) updated_at: String,
    pub(in crate::sandbox) updated_by: Actor,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Field {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) label: String,
    pub(in crate::sandbox) description: Option<String>,
    pub(in crate::sandbox) r#type: String,
    pub(in crate::sandbox) remote_type: Option<String>,
    pub(in crate::sandbox) unique: bool,
    pub(in crate::sandbox) user_added: bool,
    pub(in crate::sandbox) example: Value,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) created_by: Actor,
    pub(in crate::sandbox) updated_at: String,
}

/// A field declared by the caller.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::sandbox) struct AdditionalField {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) label: String,
    pub(in crate::sandbox) r#type: String,
    pub(in crate::sandbox) example: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Relation {
    pub(in crate::sandbox) from: String,
    pub(in crate::sandbox) to: RelationEnd,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct RelationEnd {
    pub(in crate::sandbox) model_id: Uuid,
    pub(in crate::sandbox) field: String,
}

impl Model {
    /// Takes over the version and the creation times of the stored model that it replaces.
    pub(in crate::sandbox) fn replacing(mut self, old: &Self) -> Self {
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
