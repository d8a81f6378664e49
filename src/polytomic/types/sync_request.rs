//! The request that creates or replaces a model sync.
//!
//! Source: API reference "Create Model Sync" and "Update Model Sync", 2025-09-18. Not everything is an argument: a passphrase is
//! nothing for agents, `filters` are the older form of `model_filters` and `target_filters`, and the organization is that of
//! the key. An update sends back what the sync has.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::{ConnectionId, ModelId, ModelSync};

/// A model sync to create.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewModelSync {
    /// Display name, e.g. `To CRM`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Where to write, e.g. `{"connection_id": "ID", "object": "public.contacts"}`.
    pub target: NewTarget,
    /// How to write, e.g. `updateOrCreate`; also create, update, replace, append, remove, snapshot: see `get_target_fields`.
    pub mode: String,
    /// What to write, e.g. `[{"target": "email", "source": {"model_id": "ID", "field": "email"}}]`.
    pub fields: Vec<NewMapping>,
    /// When to run, e.g. `{"frequency": "daily", "hour": "6", "minute": "0"}`; default `{"frequency": "manual"}`. Others:
    /// continuous, hourly, weekly, custom, builder, runafter, multi, dbtcloud.
    #[serde(default)]
    pub schedule: Option<Map<String, Value>>,
    /// Which record of the target a record is; needed if the mode has `requires_identity`.
    #[serde(default)]
    pub identity: Option<NewIdentity>,
    /// Several, e.g. `{"mappings": []}`.
    #[serde(default)]
    pub identities: Option<Map<String, Value>>,
    /// Run by its schedule, e.g. `true`.
    #[serde(default)]
    pub active: Option<bool>,
    /// Which records to read, e.g. `{"conditions": [{"source": {"model_id": "ID", "field": "age"}, "function": "GreaterThan",
    /// "value": 17}]}`.
    #[serde(default)]
    pub model_filters: Option<Map<String, Value>>,
    /// Which records of the target to write, e.g. `{"conditions": [{"field": "age", "function": "IsNotNull"}]}`.
    #[serde(default)]
    pub target_filters: Option<Map<String, Value>>,
    /// Constants to write, e.g. `[{"target": "source", "override_value": "app"}]`.
    #[serde(default)]
    pub override_fields: Option<Vec<Map<String, Value>>>,
    /// Values under a condition, e.g. `[{"field_id": "ID", "function": "IsNull", "override": "none"}]`.
    #[serde(default)]
    pub overrides: Option<Vec<Map<String, Value>>>,
    /// Write unchanged records as well.
    #[serde(default)]
    pub sync_all_records: Option<bool>,
    /// Skip the records of the first run.
    #[serde(default)]
    pub skip_initial_backfill: Option<bool>,
    /// Enrich changed records only.
    #[serde(default)]
    pub only_enrich_updates: Option<bool>,
    /// UUIDs of permission policies.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
}

/// The target of a sync.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "connection_id is described by its type")]
pub struct NewTarget {
    pub connection_id: ConnectionId,
    /// Object from `get_target_objects`.
    #[serde(default)]
    pub object: Option<String>,
    /// Name of an object to create.
    #[serde(default)]
    pub new_name: Option<String>,
    /// Its properties, e.g. `{"schema": "public"}`.
    #[serde(default)]
    pub create: Option<BTreeMap<String, String>>,
    /// Its settings, e.g. `{"sheet": "1"}`.
    #[serde(default)]
    pub configuration: Option<Map<String, Value>>,
    /// What finds it, e.g. `{"name": "People"}`.
    #[serde(default)]
    pub search_values: Option<Map<String, Value>>,
    /// How filters of the target combine.
    #[serde(default)]
    pub filter_logic: Option<String>,
}

/// A field of a model and the field of the target that it goes to.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMapping {
    /// Field of the target.
    pub target: String,
    /// Field of a model, unless there is an `override_value`.
    #[serde(default)]
    pub source: Option<ModelField>,
    /// Constant value in place of one, e.g. `app`.
    #[serde(default)]
    pub override_value: Option<String>,
    /// Mode of this field, e.g. `updateOrCreate`.
    #[serde(default)]
    pub sync_mode: Option<String>,
    /// Create the field in the target, e.g. `true`.
    #[serde(default)]
    pub new: Option<bool>,
    /// Encrypt its values, e.g. `true`.
    #[serde(default)]
    pub encryption_enabled: Option<bool>,
}

/// A field of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "model_id is described by its type")]
pub struct ModelField {
    pub model_id: ModelId,
    /// Name of the field.
    pub field: String,
}

/// The fields that say which record of a target is the one of a record.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// Field of a model.
    pub source: ModelField,
    /// Field of the target.
    pub target: String,
    /// How to compare: Equality, ISubstring, OneOf, DomainMatch or HostnameMatch.
    #[serde(default = "equality")]
    pub function: String,
    /// Create the field in the target, e.g. `true`.
    #[serde(default)]
    pub new_field: Option<bool>,
    /// Type of a new field.
    #[serde(default)]
    pub remote_field_type_id: Option<String>,
}

fn equality() -> String {
    "Equality".to_owned()
}

/// The properties of a request, in its order.
const REQUEST_PROPERTIES: [&str; 20] = [
    "name",
    "target",
    "mode",
    "fields",
    "schedule",
    "identity",
    "identities",
    "active",
    "model_filters",
    "target_filters",
    "filters",
    "filter_logic",
    "override_fields",
    "overrides",
    "sync_all_records",
    "skip_initial_backfill",
    "only_enrich_updates",
    "policies",
    "organization_id",
    "encryption_passphrase",
];

impl ModelSync {
    /// The request that replaces the sync with itself.
    #[must_use]
    pub fn request(&self) -> Map<String, Value> {
        let mut stored = match json!(self) {
            Value::Object(stored) => stored,
            _ => Map::new(),
        };
        let mut take = |name: &str| stored.shift_remove(name).filter(|value| !value.is_null());
        REQUEST_PROPERTIES
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), take(name)?)))
            .collect()
    }
}
