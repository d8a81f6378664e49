//! Model syncs, as the API returns them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::sandbox::account::Actor;

/// A model sync, as the API returns it. Unset properties are null here, and absent in the objects below.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelSync {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) mode: String,
    pub(super) model_ids: Vec<Uuid>,
    pub(super) target: Target,
    pub(super) fields: Vec<SyncField>,
    pub(super) identity: Option<Identity>,
    pub(super) identities: Option<Identities>,
    pub(super) filters: Option<Vec<Filter>>,
    pub(super) filter_logic: Option<String>,
    pub(super) model_filters: Option<ModelFilters>,
    pub(super) target_filters: Option<TargetFilters>,
    pub(super) overrides: Option<Vec<Override>>,
    pub(super) override_fields: Option<Vec<SyncField>>,
    pub(super) schedule: Schedule,
    pub(super) sync_all_records: bool,
    pub(super) skip_initial_backfill: bool,
    pub(super) only_enrich_updates: bool,
    pub(super) encryption_passphrase: Option<String>,
    pub(super) policies: Option<Vec<String>>,
    pub(super) problems: Vec<Value>,
    pub(super) organization_id: Uuid,
    pub(super) created_at: String,
    pub(super) created_by: Actor,
    pub(super) updated_at: String,
    pub(super) updated_by: Actor,
}

/// A field of a model, referenced as the source of a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelField {
    pub(super) field: String,
    pub(super) model_id: Uuid,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SyncField {
    source: Option<ModelField>,
    pub(super) target: String,
    pub(super) new: Option<bool>,
    pub(super) override_value: Option<String>,
    pub(super) sync_mode: Option<String>,
    pub(super) encryption_enabled: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Identity {
    source: ModelField,
    pub(super) target: String,
    pub(super) function: String,
    pub(super) new_field: Option<bool>,
    pub(super) remote_field_type_id: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Identities {
    pub(super) mappings: Vec<Identity>,
    pub(super) strategy: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Filter {
    pub(super) field: Option<ModelField>,
    pub(super) field_id: Option<String>,
    pub(super) field_type: Option<String>,
    pub(super) function: String,
    pub(super) value: Option<Value>,
    pub(super) value_field: Option<ModelField>,
    pub(super) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelFilters {
    pub(super) conditions: Option<Vec<ModelCondition>>,
    pub(super) logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelCondition {
    source: ModelField,
    pub(super) function: String,
    pub(super) value: Option<Value>,
    pub(super) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TargetFilters {
    pub(super) conditions: Option<Vec<TargetCondition>>,
    pub(super) logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TargetCondition {
    pub(super) field: String,
    pub(super) function: String,
    pub(super) value: Option<Value>,
    pub(super) value_source: Option<ModelField>,
    pub(super) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Override {
    pub(super) field: Option<ModelField>,
    pub(super) field_id: Option<String>,
    pub(super) function: Option<String>,
    pub(super) value: Option<Value>,
    pub(super) r#override: Option<Value>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) frequency: Option<String>,
    pub(super) minute: Option<String>,
    pub(super) hour: Option<String>,
    pub(super) day_of_week: Option<String>,
    pub(super) day_of_month: Option<String>,
    pub(super) month: Option<String>,
    pub(super) connection_id: Option<Uuid>,
    pub(super) job_id: Option<i64>,
    pub(super) run_after: Option<RunAfter>,
    pub(super) run_after_success_only: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunAfter {
    pub(super) sync_ids: Option<Vec<Uuid>>,
    pub(super) bulk_sync_ids: Option<Vec<Uuid>>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) connection_id: Option<Uuid>,
    pub(super) object: Option<String>,
    pub(super) new_name: Option<String>,
    pub(super) configuration: Option<Map<String, Value>>,
    pub(super) create: Option<BTreeMap<String, String>>,
    pub(super) filter_logic: Option<String>,
    pub(super) search_values: Option<Map<String, Value>>,
}

impl ModelSync {
    /// Every referenced model, with the path of the reference in the request.
    pub(super) fn referenced_models(&self) -> Vec<(String, Uuid)> {
        let mappings = self.identities.as_ref().map(|identities| &identities.mappings);
        let model_conditions =
            self.model_filters.as_ref().and_then(|filters| filters.conditions.as_ref());
        let target_conditions =
            self.target_filters.as_ref().and_then(|filters| filters.conditions.as_ref());
        let identity = self
            .identity
            .iter()
            .map(|identity| ("identity.source.model_id".to_owned(), identity.source.model_id));
        model_references("fields[].source", Some(&self.fields), |field| field.source.as_ref())
            .chain(identity)
            .chain(model_references("identities.mappings[].source", mappings, |item| {
                Some(&item.source)
            }))
            .chain(model_references("filters[].field", self.filters.as_ref(), |item| {
                item.field.as_ref()
            }))
            .chain(model_references("filters[].value_field", self.filters.as_ref(), |item| {
                item.value_field.as_ref()
            }))
            .chain(model_references(
                "model_filters.conditions[].source",
                model_conditions,
                |item| Some(&item.source),
            ))
            .chain(model_references("overrides[].field", self.overrides.as_ref(), |item| {
                item.field.as_ref()
            }))
            .chain(model_references(
                "override_fields[].source",
                self.override_fields.as_ref(),
                |item| item.source.as_ref(),
            ))
            .chain(model_references(
                "target_filters.conditions[].value_source",
                target_conditions,
                |item| item.value_source.as_ref(),
            ))
            .collect()
    }
}

/// The models that the items of a list refer to; `[]` in `path` stands for the index of the item.
fn model_references<T>(
    path: &str,
    items: Option<&Vec<T>>,
    source: impl Fn(&T) -> Option<&ModelField>,
) -> impl Iterator<Item = (String, Uuid)> {
    items.into_iter().flatten().enumerate().filter_map(move |(index, item)| {
        let path = path.replace("[]", &format!("[{index}]"));
        source(item).map(|source| (format!("{path}.model_id"), source.model_id))
    })
}
