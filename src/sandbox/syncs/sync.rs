//! Model syncs, as the API returns them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::sandbox::accounts::Actor;

/// A model sync, as the API returns it. Unset properties are null here, and absent in the objects below.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct ModelSync {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) active: bool,
    pub(in crate::sandbox) mode: String,
    pub(in crate::sandbox) model_ids: Vec<Uuid>,
    pub(in crate::sandbox) target: Target,
    pub(in crate::sandbox) fields: Vec<SyncField>,
    pub(in crate::sandbox) identity: Option<Identity>,
    pub(in crate::sandbox) identities: Option<Identities>,
    pub(in crate::sandbox) filters: Option<Vec<Filter>>,
    pub(in crate::sandbox) filter_logic: Option<String>,
    pub(in crate::sandbox) model_filters: Option<ModelFilters>,
    pub(in crate::sandbox) target_filters: Option<TargetFilters>,
    pub(in crate::sandbox) overrides: Option<Vec<Override>>,
    pub(in crate::sandbox) override_fields: Option<Vec<SyncField>>,
    pub(in crate::sandbox) schedule: Schedule,
    pub(in crate::sandbox) sync_all_records: bool,
    pub(in crate::sandbox) skip_initial_backfill: bool,
    pub(in crate::sandbox) only_enrich_updates: bool,
    pub(in crate::sandbox) encryption_passphrase: Option<String>,
    pub(in crate::sandbox) policies: Option<Vec<String>>,
    pub(in crate::sandbox) problems: Vec<Value>,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) created_by: Actor,
    pub(in crate::sandbox) updated_at: String,
    pub(in crate::sandbox) updated_by: Actor,
}

/// A field of a model, referenced as the source of a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct ModelField {
    pub(in crate::sandbox) field: String,
    pub(in crate::sandbox) model_id: Uuid,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct SyncField {
    pub(in crate::sandbox) source: Option<ModelField>,
    pub(in crate::sandbox) target: String,
    pub(in crate::sandbox) new: Option<bool>,
    pub(in crate::sandbox) override_value: Option<String>,
    pub(in crate::sandbox) sync_mode: Option<String>,
    pub(in crate::sandbox) encryption_enabled: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Identity {
    pub(in crate::sandbox) source: ModelField,
    pub(in crate::sandbox) target: String,
    pub(in crate::sandbox) function: String,
    pub(in crate::sandbox) new_field: Option<bool>,
    pub(in crate::sandbox) remote_field_type_id: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Identities {
    pub(in crate::sandbox) mappings: Vec<Identity>,
    pub(in crate::sandbox) strategy: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Filter {
    pub(in crate::sandbox) field: Option<ModelField>,
    pub(in crate::sandbox) field_id: Option<String>,
    pub(in crate::sandbox) field_type: Option<String>,
    pub(in crate::sandbox) function: String,
    pub(in crate::sandbox) value: Option<Value>,
    pub(in crate::sandbox) value_field: Option<ModelField>,
    pub(in crate::sandbox) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct ModelFilters {
    pub(in crate::sandbox) conditions: Option<Vec<ModelCondition>>,
    pub(in crate::sandbox) logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct ModelCondition {
    pub(in crate::sandbox) source: ModelField,
    pub(in crate::sandbox) function: String,
    pub(in crate::sandbox) value: Option<Value>,
    pub(in crate::sandbox) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct TargetFilters {
    pub(in crate::sandbox) conditions: Option<Vec<TargetCondition>>,
    pub(in crate::sandbox) logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct TargetCondition {
    pub(in crate::sandbox) field: String,
    pub(in crate::sandbox) function: String,
    pub(in crate::sandbox) value: Option<Value>,
    pub(in crate::sandbox) value_source: Option<ModelField>,
    pub(in crate::sandbox) label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Override {
    pub(in crate::sandbox) field: Option<ModelField>,
    pub(in crate::sandbox) field_id: Option<String>,
    pub(in crate::sandbox) function: Option<String>,
    pub(in crate::sandbox) value: Option<Value>,
    pub(in crate::sandbox) r#override: Option<Value>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Schedule {
    pub(in crate::sandbox) frequency: Option<String>,
    pub(in crate::sandbox) minute: Option<String>,
    pub(in crate::sandbox) hour: Option<String>,
    pub(in crate::sandbox) day_of_week: Option<String>,
    pub(in crate::sandbox) day_of_month: Option<String>,
    pub(in crate::sandbox) month: Option<String>,
    pub(in crate::sandbox) connection_id: Option<Uuid>,
    pub(in crate::sandbox) job_id: Option<i64>,
    pub(in crate::sandbox) run_after: Option<RunAfter>,
    pub(in crate::sandbox) run_after_success_only: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct RunAfter {
    pub(in crate::sandbox) sync_ids: Option<Vec<Uuid>>,
    pub(in crate::sandbox) bulk_sync_ids: Option<Vec<Uuid>>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Target {
    pub(in crate::sandbox) connection_id: Option<Uuid>,
    pub(in crate::sandbox) object: Option<String>,
    pub(in crate::sandbox) new_name: Option<String>,
    pub(in crate::sandbox) configuration: Option<Map<String, Value>>,
    pub(in crate::sandbox) create: Option<BTreeMap<String, String>>,
    pub(in crate::sandbox) filter_logic: Option<String>,
    pub(in crate::sandbox) search_values: Option<Map<String, Value>>,
}

impl ModelSync {
    /// Every referenced model, with the path of the reference in the request.
    pub(in crate::sandbox) fn referenced_models(&self) -> Vec<(String, Uuid)> {
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
