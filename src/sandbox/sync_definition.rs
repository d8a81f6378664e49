//! From a request to a model sync: the models that it names must be there. Its target need not,
//! since nothing runs it.

use std::collections::HashSet;

use serde::Deserialize;
use uuid::Uuid;

use crate::sandbox::account::{Actor, ORGANIZATION};
use crate::sandbox::definition::now;
use crate::sandbox::error::ApiError;
use crate::sandbox::requests::{check_name, missing};
use crate::sandbox::state::AppState;
use crate::sandbox::sync::{
    Filter, Identities, Identity, ModelFilters, ModelSync, Override, Schedule, SyncField, Target,
    TargetFilters,
};

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

/// Makes the sync that is asked for.
///
/// # Errors
/// 400 for what is missing, cannot be, or names a model that is not there.
pub(super) async fn define(app: &AppState, body: SyncBody) -> Result<ModelSync, ApiError> {
    let mut sync = body.check()?;
    let named = sync.named_models();
    let mut seen = HashSet::new();
    sync.model_ids = named.iter().map(|(_, id)| *id).filter(|id| seen.insert(*id)).collect();
    if let Some(unknown) = app.store.unknown_model(sync.model_ids.clone()).await? {
        let place =
            named.iter().find(|(_, id)| *id == unknown).map_or("model_id", |(place, _)| place);
        return Err(ApiError::invalid(format!("{place}: there is no model {unknown}.")));
    }
    Ok(sync)
}

impl SyncBody {
    fn check(self) -> Result<ModelSync, ApiError> {
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

/// The mode, when the API knows it.
pub(super) fn check_mode(mode: &str) -> Result<String, ApiError> {
    if !MODES.contains(&mode) {
        return Err(ApiError::invalid(format!("mode: expected {}.", one_of_modes())));
    }
    Ok(mode.to_owned())
}

fn one_of_modes() -> String {
    format!("one of {}", MODES.join(", "))
}
