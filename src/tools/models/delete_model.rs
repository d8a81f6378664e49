//! `delete_model`: delete a model permanently, unless syncs read from it.
//!
//! Source: API reference "Delete Model", 2025-09-18. The API deletes a model even if syncs read from it, and they
//! break. So the syncs are checked first: by the `model_ids` of each list item, or by the complete sync if its list
//! item has none. `async` is not sent and no response body is documented; a job is waited for if one is returned
//! (gap G6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_with::skip_serializing_none;
use tokio::time::Instant;

use crate::polytomic::{Error, Job, ModelId, ModelSync, SyncId};
use crate::registry::{
    Context, Effect, ErrorCode, NextCall, Operation, Outcome, ToolError, unknown_status,
};
use crate::tools::listing::{ENDLESS, MAX_PAGES, MAX_READING_TIME, read_all};

/// Sync names are listed in an error up to this many characters; further ones are only counted.
const MAX_LISTED_CHARACTERS: usize = 900;
const MAX_NAME_CHARACTERS: usize = 80;

pub(super) struct DeleteModel;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
    /// Fail if the model has another name, e.g. `Users`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    expected_name: Option<String>,
    /// Delete even if syncs read from it, e.g. `true`.
    #[serde(default)]
    force: bool,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// True when the model is deleted; false while the job is unfinished.
    deleted: bool,
    /// The model.
    model_id: ModelId,
    /// The job that deletes it, if the API returned one.
    job: Option<Job>,
    /// The call that continues; present while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for DeleteModel {
    const NAME: &'static str = "delete_model";
    const TITLE: &'static str = "Delete model";
    const DESCRIPTION: &'static str = "Delete a model permanently; this cannot be undone. Fails \
        and lists the syncs that read from it, unless `force` is true: pass it only if the user has \
        agreed to break them. Before: `get_model`, or pass `expected_name`.";
    const EFFECT: Effect = Effect::Destructive;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let model_id = args.model_id;
        if let Some(expected) = &args.expected_name {
            let model = cx.get_current_model(model_id).await?;
            if model.name.as_ref() != Some(expected) {
                return Err(unexpected_name(model.name));
            }
            cx.require_undamaged(&json!(model.name))?;
        }
        if !args.force {
            let undetermined = |error: ToolError| {
                let hint = format!(
                    "{} Nothing was deleted, since the syncs that read from the model could not be determined. Call \
                     again, or with `force` true to delete it anyway.",
                    error.hint
                );
                error.with_outcome(Outcome::NotSent).with_hint(hint.trim_start())
            };
            let until = Instant::now() + MAX_READING_TIME;
            let syncs = all_syncs(cx).await.map_err(|error| undetermined(error.into()))?;
            let syncs = syncs.ok_or_else(endless_syncs)?;
            let unlisted = syncs.iter().filter(|sync| sync.model_ids.is_none()).count();
            let dependents = async {
                // Nothing is requested for a number that would end in the same error.
                let found = tokio::time::timeout_at(until, dependents(cx, model_id, syncs));
                if unlisted <= MAX_PAGES { found.await.ok() } else { None }
            };
            let dependents = dependents.await.ok_or_else(|| too_many_syncs(unlisted))?;
            let dependents = dependents.map_err(undetermined)?;
            if !dependents.is_empty() {
                return Err(dependents_exist(model_id, dependents));
            }
        }
        let Some(job) = cx.client().delete_model(model_id, cx.call_options()).await? else {
            return Ok(Output { deleted: true, model_id, job: None, next: None, notice: None });
        };
        let job = cx.wait_for_deletion(job).await?;
        let deleted = job.has_ended();
        let next = if deleted { None } else { NextCall::get_job(&job) };
        let notice = unknown_status(&job);
        Ok(Output { deleted, model_id, job: Some(job), next, notice })
    }
}

/// All syncs; none if their list has no end.
async fn all_syncs(cx: &Context) -> Result<Option<Vec<ModelSync>>, Error> {
    read_all(move |limit, token: Option<String>| async move {
        cx.client().list_model_syncs(Some(limit), token.as_deref(), cx.call_options()).await
    })
    .await
}

/// The names of the syncs that read from a model; the id of one without a name.
async fn dependents(
    cx: &Context,
    model_id: ModelId,
    syncs: Vec<ModelSync>,
) -> Result<Vec<String>, ToolError> {
    let (mut names, mut read) = (Vec::new(), Vec::new());
    for sync in syncs {
        let reads_model = match &sync.model_ids {
            Some(model_ids) => {
                read.push(json!(model_ids));
                sync.reads(model_id)
            }
            None => {
                let complete = complete_sync(cx, &sync).await?;
                read.push(json!(complete));
                complete.mentions(model_id)
            }
        };
        if reads_model {
            let name = sync.name.filter(|name| !name.is_empty());
            names.push(name.or(sync.id).unwrap_or_default());
        }
    }
    if names.is_empty() {
        cx.require_undamaged(&read.into())?;
    }
    Ok(names)
}

fn endless_syncs() -> ToolError {
    ToolError::new(
        ErrorCode::UpstreamError,
        format!("The list of model syncs has no end: {ENDLESS}."),
        "Nothing was deleted, since some of the syncs may read from the model. Report to Polytomic's \
         support that `GET /api/syncs` returns a next page again and again.",
    )
    .with_outcome(Outcome::NotSent)
}

fn too_many_syncs(unlisted: usize) -> ToolError {
    ToolError::new(
        ErrorCode::UpstreamError,
        format!(
            "{unlisted} listed model syncs do not name the models they read, and cannot all be read one by one: at most \
             {MAX_PAGES}, within {} s.",
            MAX_READING_TIME.as_secs()
        ),
        "Nothing was deleted, since some of the syncs may read from the model. Report to Polytomic's support that \
         `GET /api/syncs` returns syncs without `model_ids`.",
    )
}

/// Gets a sync whose list item has no `model_ids`.
async fn complete_sync(cx: &Context, sync: &ModelSync) -> Result<ModelSync, ToolError> {
    let id = sync.id.as_deref().and_then(|id| id.parse().ok()).map(SyncId);
    match id {
        Some(id) => {
            let sync = cx.client().get_model_sync(id, cx.call_options()).await?;
            if sync.model_ids.is_some() || sync.rest.contains_key("fields") {
                return Ok(sync);
            }
            let message = "A sync does not name the models it reads.";
            Err(ToolError::new(ErrorCode::UpstreamError, message, ""))
        }
        None => Err(ToolError::new(
            ErrorCode::UpstreamError,
            "A listed sync has neither model_ids nor an id.",
            "",
        )),
    }
}

fn dependents_exist(model_id: ModelId, syncs: Vec<String>) -> ToolError {
    let count = match syncs.len() {
        1 => "1 sync reads".to_owned(),
        count => format!("{count} syncs read"),
    };
    let mut characters_left = MAX_LISTED_CHARACTERS;
    let names: Vec<Value> = syncs
        .into_iter()
        .map_while(|name| {
            let name: String = name.chars().take(MAX_NAME_CHARACTERS).collect();
            characters_left = characters_left.checked_sub(name.chars().count() + 3)?;
            Some(json!(name))
        })
        .collect();
    ToolError::new(
        ErrorCode::DependentsExist,
        format!("{count} from model {model_id} and would break. Nothing was deleted."),
        "Ask the user first, then call again with `force` true. list_model_syncs with `model_id` shows \
         the syncs.",
    )
    .with_detail("syncs", Some(names))
}

fn unexpected_name(name: Option<String>) -> ToolError {
    ToolError::new(
        ErrorCode::Conflict,
        "The model's name differs from `expected_name`. Nothing was deleted.",
        "Call get_model to check the model; list_models with `name_contains` finds others.",
    )
    .with_detail("name", name)
}
