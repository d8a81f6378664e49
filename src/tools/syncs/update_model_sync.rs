//! `update_model_sync`: change the named properties of a sync and keep the others.
//!
//! Source: API reference "Update Model Sync", 2025-09-18: the API replaces the whole sync. So the sync is read, turned into
//! the request for it, and written with the changes. It has no version: `expected_updated_at` takes its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use super::create_model_sync::NESTED;
use crate::polytomic::{ModelSync, NewModelSync, SyncId};
use crate::registry::{
    Context, Effect, ErrorCode, Operation, Outcome, SYNC, SameArguments, Stake, ToolError,
};
use crate::tools::definition::{
    Change, Patch, UpdateArguments, UpdateOptions, changes, check_combination, check_empty_values,
    names_of, patched, refuse_masks, require_undamaged_definition,
};
use crate::tools::sync_objects::{
    SyncChange, check_name, current_sync, describe, describe_target, shown_sync,
};

pub(super) struct UpdateModelSync;

/// Arguments that control the update; the other arguments are the properties to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    sync_id: SyncId,
    /// Properties to clear, e.g. `["model_filters"]`.
    #[serde(default)]
    clear: Vec<Clearable>,
    /// Return the changes without applying them, e.g. `true`.
    #[serde(default)]
    dry_run: bool,
    /// Fail if it has another name, e.g. `To CRM`.
    #[serde(default)]
    expected_name: Option<String>,
    /// Fail if `updated_at` differs, e.g. `2026-01-31T09:30:00Z`.
    #[serde(default)]
    expected_updated_at: Option<String>,
    /// Drop what is not passed, e.g. `true`.
    #[serde(default)]
    replace: bool,
}

/// What a sync has and no argument names.
const NO_ARGUMENTS: [&str; 2] = ["organization_id", "encryption_passphrase"];

/// What `replace` requires.
const REQUIRED: [&str; 5] = ["name", "target", "mode", "fields", "schedule"];

/// A property that can be cleared.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Clearable {
    Filters,
    FilterLogic,
    Identities,
    Identity,
    ModelFilters,
    OverrideFields,
    Overrides,
    Policies,
    TargetFilters,
}

impl UpdateOptions for Options {
    type New = NewModelSync;
    const NAMES: &[&str] =
        &["sync_id", "clear", "dry_run", "expected_name", "expected_updated_at", "replace"];

    fn placeholders() -> Value {
        let target = json!({"connection_id": uuid::Uuid::nil()});
        json!({"name": "", "target": target, "mode": "", "fields": []})
    }

    fn patch(&self, properties: Map<String, Value>) -> Patch {
        let (replaces, refreshes) = (self.replace, false);
        Patch { properties, cleared: names_of(&self.clear), replaces, refreshes }
    }
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The sync after the update; absent after a dry run.
    #[schemars(with = "Option<ModelSync>")]
    sync: Option<Map<String, Value>>,
    /// The changes of the call.
    changed: Vec<Change>,
    /// The present one, for `expected_updated_at`; dry run only.
    updated_at: Option<String>,
    /// True if nothing was written.
    dry_run: Option<bool>,
}

impl Operation for UpdateModelSync {
    const NAME: &'static str = "update_model_sync";
    const TITLE: &'static str = "Update model sync";
    const DESCRIPTION: &'static str = "Update a sync. Pass only the properties to change; the others keep their values. A passed property is replaced as a \
        whole, so that `fields` needs every mapping; `clear` empties properties. Before: `get_model_sync`.";
    const EFFECT: Effect = Effect::Write { idempotent: true, overwrites: true };
    const SHOWN_BY: [&'static str; 2] = ["get_model_sync", "list_model_syncs"];
    const DRY_RUN: Option<&'static str> = Some("dry_run");
    const SAME_AS: Option<SameArguments> = Some(NESTED);
    const LARGE_RESULTS: bool = false;
    type Args = UpdateArguments<Options>;
    type Output = Output;

    fn has_changed_data(output: &Output) -> bool {
        output.dry_run.is_none()
    }

    async fn call(cx: &Context, args: Self::Args) -> Result<Output, ToolError> {
        let UpdateArguments { options, patch } = args;
        check_combination(&patch, &REQUIRED)?;
        let id = options.sync_id;
        let sync = current_sync(cx, id).await?;
        if let Some(expected) = &options.expected_updated_at
            && sync.updated_at.as_ref() != Some(expected)
        {
            return Err(changed_since(&sync));
        }
        let expected_name = options.expected_name.as_deref();
        check_name(cx, &sync, expected_name, UNCHANGED)?;
        let stored = sync.request();
        check_empty_values(SYNC, &stored, &patch, cx.empty_arguments())?;
        let mut definition = patched(&stored, &Map::new(), &patch, |name, value| {
            let connection = |value: &Value| {
                let id = value.get("connection_id").and_then(Value::as_str);
                id.map(str::to_ascii_lowercase)
            };
            name != "target"
                || stored.get(name).is_none_or(|it| connection(it) == connection(value))
        })?;
        if patch.replaces {
            // These are no arguments, so that leaving them out is no wish to drop them; what is off stays off.
            let is_kept = |(name, value): &(&String, &Value)| {
                NO_ARGUMENTS.contains(&name.as_str()) || **value == false
            };
            for (name, value) in stored.iter().filter(is_kept) {
                definition.entry(name).or_insert_with(|| value.clone());
            }
        }
        let changed = changes(SYNC, &stored, &definition);
        if !changed.is_empty() {
            refuse_masks(SYNC, &definition, &patch.properties, &stored)
                .map_err(without_argument)?;
            if !patch.replaces {
                require_undamaged_definition(cx, &definition, &patch)?;
            }
        }
        if options.dry_run {
            let updated_at = sync.updated_at;
            return Ok(Output { sync: None, changed, updated_at, dry_run: Some(true) });
        }
        if changed.is_empty() {
            let sync = Some(shown_sync(&sync));
            return Ok(Output { sync, changed, updated_at: None, dry_run: None });
        }
        let is_loss = changed.iter().any(|change| change.is_loss() || redirects(change));
        let stake = if is_loss { Stake::Loss } else { Stake::Change };
        let change = SyncChange {
            id,
            sync: &sync,
            stake,
            is_expected: expected_name.is_some(),
            writes_what_was_read: true,
            unchanged: UNCHANGED,
        };
        change.confirm(cx, |sync| question(sync, id, &changed, &definition)).await?;
        let updated = cx.client().update_model_sync(id, &definition, &cx.call_options()).await?;
        Ok(Output { sync: Some(shown_sync(&updated)), changed, updated_at: None, dry_run: None })
    }
}

const UNCHANGED: &str = "Nothing was written.";

/// Whether the next execution may overwrite what the sync has not written so far.
fn redirects(change: &Change) -> bool {
    ["mode", "target"].contains(&change.property.as_str())
}

/// What the user has to know.
fn question(
    sync: &ModelSync,
    id: SyncId,
    changed: &[Change],
    definition: &Map<String, Value>,
) -> String {
    let mut question = format!("Update {}?", describe(sync, id));
    let losses = changed.iter().filter(|change| change.is_loss());
    let losses: Vec<String> = losses.map(Change::describe_loss).collect();
    if !losses.is_empty() {
        question += &format!(" It loses: {}.", losses.join("; "));
    }
    let others = changed.iter().filter(|change| !change.is_loss() || change.has_other_values());
    let others: Vec<&str> = others.map(|change| change.property.as_str()).collect();
    if !others.is_empty() {
        question += &format!(" It gets other values of: {}.", others.join(", "));
    }
    if changed.iter().any(redirects) {
        let target = definition.get("target").and_then(Value::as_object);
        let mode = definition.get("mode").and_then(Value::as_str);
        question += &format!(" Afterwards it writes {}.", describe_target(target, mode));
    }
    question
}

/// An error about the mask of what no argument names.
fn without_argument(error: ToolError) -> ToolError {
    let place = error.details.get("argument").and_then(Value::as_str).unwrap_or_default();
    match NO_ARGUMENTS.contains(&place) {
        true => error.with_hint("Change the sync in Polytomic, which knows the secret."),
        false => error,
    }
}

fn changed_since(sync: &ModelSync) -> ToolError {
    ToolError::new(
        ErrorCode::Conflict,
        format!("The sync has another `updated_at` than expected. {UNCHANGED}"),
        "Call get_model_sync for the present state, then update_model_sync with its updated_at as `expected_updated_at`.",
    )
    .with_detail("updated_at", sync.updated_at.clone())
    .with_outcome(Outcome::NotSent)
}
