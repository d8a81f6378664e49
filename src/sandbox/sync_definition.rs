//! From a request to a model sync: the models that it names must be there. Its target need not,
//! since nothing runs it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::sandbox::access::{Actor, ORGANIZATION};
use crate::sandbox::app::App;
use crate::sandbox::definition::now;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::requests::{check_name, missing};

const MODES: [&str; 7] =
    ["create", "update", "updateOrCreate", "replace", "append", "remove", "snapshot"];

/// A passphrase is never needed here, so that its mask is all that is kept.
const MASK: &str = "********";

/// The body of create, as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct SyncBody {
    active: Option<bool>,
    encryption_passphrase: Option<String>,
    fields: Option<Vec<SyncField>>,
    filter_logic: Option<String>,
    filters: Option<Vec<Filter>>,
    identities: Option<Identities>,
    identity: Option<Identity>,
    mode: Option<String>,
    model_filters: Option<ModelFilters>,
    name: Option<String>,
    only_enrich_updates: Option<bool>,
    organization_id: Option<Uuid>,
    override_fields: Option<Vec<SyncField>>,
    overrides: Option<Vec<Override>>,
    policies: Option<Vec<String>>,
    schedule: Option<Schedule>,
    skip_initial_backfill: Option<bool>,
    sync_all_records: Option<bool>,
    target: Option<Target>,
    target_filters: Option<TargetFilters>,
}

/// A model sync, in the shape of the API. What was not given is null here and absent below.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelSync {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) mode: String,
    pub(super) model_ids: Vec<Uuid>,
    pub(super) target: Target,
    fields: Vec<SyncField>,
    identity: Option<Identity>,
    identities: Option<Identities>,
    filters: Option<Vec<Filter>>,
    filter_logic: Option<String>,
    model_filters: Option<ModelFilters>,
    target_filters: Option<TargetFilters>,
    overrides: Option<Vec<Override>>,
    override_fields: Option<Vec<SyncField>>,
    pub(super) schedule: Schedule,
    pub(super) sync_all_records: bool,
    pub(super) skip_initial_backfill: bool,
    pub(super) only_enrich_updates: bool,
    encryption_passphrase: Option<String>,
    policies: Option<Vec<String>>,
    problems: Vec<Value>,
    pub(super) organization_id: Uuid,
    pub(super) created_at: String,
    pub(super) created_by: Actor,
    pub(super) updated_at: String,
    pub(super) updated_by: Actor,
}

/// A field of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Source {
    field: String,
    model_id: Uuid,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SyncField {
    source: Option<Source>,
    target: String,
    new: Option<bool>,
    override_value: Option<String>,
    sync_mode: Option<String>,
    encryption_enabled: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identity {
    source: Source,
    target: String,
    function: String,
    new_field: Option<bool>,
    remote_field_type_id: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identities {
    mappings: Vec<Identity>,
    strategy: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Filter {
    field: Option<Source>,
    field_id: Option<String>,
    field_type: Option<String>,
    function: String,
    value: Option<Value>,
    value_field: Option<Source>,
    label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ModelFilters {
    conditions: Option<Vec<ModelCondition>>,
    logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ModelCondition {
    source: Source,
    function: String,
    value: Option<Value>,
    label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TargetFilters {
    conditions: Option<Vec<TargetCondition>>,
    logic: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TargetCondition {
    field: String,
    function: String,
    value: Option<Value>,
    value_source: Option<Source>,
    label: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Override {
    field: Option<Source>,
    field_id: Option<String>,
    function: Option<String>,
    value: Option<Value>,
    r#override: Option<Value>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Schedule {
    frequency: Option<String>,
    minute: Option<String>,
    hour: Option<String>,
    day_of_week: Option<String>,
    day_of_month: Option<String>,
    month: Option<String>,
    connection_id: Option<Uuid>,
    job_id: Option<i64>,
    run_after: Option<RunAfter>,
    run_after_success_only: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RunAfter {
    sync_ids: Option<Vec<Uuid>>,
    bulk_sync_ids: Option<Vec<Uuid>>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) connection_id: Option<Uuid>,
    pub(super) object: Option<String>,
    new_name: Option<String>,
    configuration: Option<Map<String, Value>>,
    create: Option<BTreeMap<String, String>>,
    filter_logic: Option<String>,
    search_values: Option<Map<String, Value>>,
}

/// Makes the sync that is asked for.
///
/// # Errors
/// 400 for what is missing, cannot be, or names a model that is not there.
pub(super) async fn define(app: &App, body: SyncBody) -> Result<ModelSync, Refusal> {
    let mut sync = body.check()?;
    let named = sync.named_models();
    let mut seen = HashSet::new();
    sync.model_ids = named.iter().map(|(_, id)| *id).filter(|id| seen.insert(*id)).collect();
    if let Some(unknown) = app.store.unknown_model(sync.model_ids.clone()).await? {
        let place =
            named.iter().find(|(_, id)| *id == unknown).map_or("model_id", |(place, _)| place);
        return Err(Refusal::invalid(format!("{place}: there is no model {unknown}.")));
    }
    Ok(sync)
}

impl SyncBody {
    fn check(self) -> Result<ModelSync, Refusal> {
        let name = check_name(self.name)?;
        let mode = check_mode(&self.mode.ok_or_else(|| missing("mode", &one_of_modes()))?)?;
        let fields = self.fields.ok_or_else(|| missing("fields", "a list of field mappings"))?;
        let schedule = self.schedule.ok_or_else(|| missing("schedule", "an object"))?;
        let target =
            self.target.ok_or_else(|| missing("target", "an object with connection_id"))?;
        if target.connection_id.is_none() {
            return Err(missing("target.connection_id", "the UUID of a connection"));
        }
        let now = now();
        Ok(ModelSync {
            id: Uuid::new_v4(),
            name,
            active: self.active.unwrap_or_default(),
            mode,
            model_ids: Vec::new(),
            target,
            fields,
            identity: self.identity,
            identities: self.identities,
            filters: self.filters,
            filter_logic: self.filter_logic,
            model_filters: self.model_filters,
            target_filters: self.target_filters,
            overrides: self.overrides,
            override_fields: self.override_fields,
            schedule,
            sync_all_records: self.sync_all_records.unwrap_or_default(),
            skip_initial_backfill: self.skip_initial_backfill.unwrap_or_default(),
            only_enrich_updates: self.only_enrich_updates.unwrap_or_default(),
            encryption_passphrase: self
                .encryption_passphrase
                .filter(|passphrase| !passphrase.is_empty())
                .map(|_| MASK.to_owned()),
            policies: self.policies,
            problems: Vec::new(),
            organization_id: self.organization_id.unwrap_or(ORGANIZATION),
            created_at: now.clone(),
            created_by: Actor::user(),
            updated_at: now,
            updated_by: Actor::user(),
        })
    }
}

impl ModelSync {
    /// Every model that is named, with its place in the request.
    fn named_models(&self) -> Vec<(String, Uuid)> {
        let mappings = self.identities.as_ref().map(|identities| &identities.mappings);
        let model_conditions = self.model_filters.as_ref().and_then(|all| all.conditions.as_ref());
        let target_conditions =
            self.target_filters.as_ref().and_then(|all| all.conditions.as_ref());
        let identity = self
            .identity
            .iter()
            .map(|identity| ("identity.source.model_id".to_owned(), identity.source.model_id));
        sources("fields[].source", Some(&self.fields), |field| field.source.as_ref())
            .chain(identity)
            .chain(sources("identities.mappings[].source", mappings, |one| Some(&one.source)))
            .chain(sources("filters[].field", self.filters.as_ref(), |one| one.field.as_ref()))
            .chain(sources("filters[].value_field", self.filters.as_ref(), |one| {
                one.value_field.as_ref()
            }))
            .chain(sources("model_filters.conditions[].source", model_conditions, |one| {
                Some(&one.source)
            }))
            .chain(sources("overrides[].field", self.overrides.as_ref(), |one| one.field.as_ref()))
            .chain(sources("override_fields[].source", self.override_fields.as_ref(), |one| {
                one.source.as_ref()
            }))
            .chain(sources("target_filters.conditions[].value_source", target_conditions, |one| {
                one.value_source.as_ref()
            }))
            .collect()
    }
}

/// The models that the items of a list name; `place` has `[]` where their number goes.
fn sources<T>(
    place: &str,
    items: Option<&Vec<T>>,
    source: impl Fn(&T) -> Option<&Source>,
) -> impl Iterator<Item = (String, Uuid)> {
    items.into_iter().flatten().enumerate().filter_map(move |(index, item)| {
        let place = place.replace("[]", &format!("[{index}]"));
        source(item).map(|source| (format!("{place}.model_id"), source.model_id))
    })
}

/// The mode, when the API knows it.
pub(super) fn check_mode(mode: &str) -> Result<String, Refusal> {
    if !MODES.contains(&mode) {
        return Err(Refusal::invalid(format!("mode: expected {}.", one_of_modes())));
    }
    Ok(mode.to_owned())
}

fn one_of_modes() -> String {
    format!("one of {}", MODES.join(", "))
}
