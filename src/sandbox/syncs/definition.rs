//! Resolves a request to a model sync. The models it refers to must exist; its target is looked at when it runs.

use std::collections::HashSet;

use serde::Deserialize;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{missing, validate_name};
use crate::sandbox::store::{self, Tx, format_time};
use crate::sandbox::syncs::sync::{
    Filter, Identities, Identity, ModelFilters, ModelSync, Override, Schedule, SyncField, Target,
    TargetFilters,
};

const MODES: [&str; 7] =
    ["create", "update", "updateOrCreate", "replace", "append", "remove", "snapshot"];

/// Stored in place of a passphrase: the sandbox never needs one.
const PASSPHRASE_MASK: &str = "********";

/// The body of create and update, before validation.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct SyncBody {
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

/// Resolves a request to a sync.
///
/// # Errors
/// 400 for a property that is missing or invalid.
pub(in crate::sandbox) fn resolve_sync(
    caller: Caller,
    body: SyncBody,
) -> Result<ModelSync, ApiError> {
    let mut sync = body.validate(caller)?;
    let mut seen = HashSet::new();
    let ids = sync.referenced_models().into_iter().map(|(_, id)| id);
    sync.model_ids = ids.filter(|id| seen.insert(*id)).collect();
    Ok(sync)
}

/// Completes a resolved sync with what its transaction knows: the time, and whether its models exist.
///
/// # Errors
/// 400 for an unknown model.
pub(in crate::sandbox) fn complete_sync(tx: &Tx<'_>, sync: &mut ModelSync) -> Result<(), ApiError> {
    for (path, id) in sync.referenced_models() {
        if store::models::find(tx, sync.organization_id, id)?.is_none() {
            return Err(ApiError::invalid(format!("{path}: there is no model {id}.")));
        }
    }
    sync.updated_at = format_time(tx.now());
    sync.created_at.clone_from(&sync.updated_at);
    Ok(())
}

impl SyncBody {
    fn validate(self, caller: Caller) -> Result<ModelSync, ApiError> {
        caller.check_organization(self.organization_id)?;
        let name = validate_name(self.name)?;
        let mode = validate_mode(&self.mode.ok_or_else(|| missing("mode", &expected_modes()))?)?;
        let fields = self.fields.ok_or_else(|| missing("fields", "a list of field mappings"))?;
        let schedule = self.schedule.ok_or_else(|| missing("schedule", "an object"))?;
        let target =
            self.target.ok_or_else(|| missing("target", "an object with connection_id"))?;
        if target.connection_id.is_none() {
            return Err(missing("target.connection_id", "the UUID of a connection"));
        }
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
                .map(|_| PASSPHRASE_MASK.to_owned()),
            policies: self.policies,
            problems: Vec::new(),
            organization_id: caller.organization_id(),
            created_at: String::new(),
            created_by: caller.actor(),
            updated_at: String::new(),
            updated_by: caller.actor(),
        })
    }
}

/// Validates the mode of a sync.
pub(in crate::sandbox) fn validate_mode(mode: &str) -> Result<String, ApiError> {
    if !MODES.contains(&mode) {
        return Err(ApiError::invalid(format!("mode: expected {}.", expected_modes())));
    }
    Ok(mode.to_owned())
}

fn expected_modes() -> String {
    format!("one of {}", MODES.join(", "))
}
