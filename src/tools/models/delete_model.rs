//! `delete_model`: delete a model permanently, unless syncs read from it.
//!
//! Source: API reference "Delete Model", 2025-09-18. The API deletes a model even if syncs read from it, and they
//! break. So the syncs are checked first, and the user is asked. `async` is not sent and no response body is documented; a job is waited for if one is returned
//! (gap G6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, ModelId};
use crate::registry::{
    Context, Effect, ErrorCode, MODEL, NextCall, Operation, Question, Stake, ToolError,
    check_expected_name, quoted_name, unknown_status,
};
use crate::tools::definition::{ModelChange, dependents, describe_syncs, model_state, sync_state};

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
    /// Organization of the model, if known.
    organization_id: Option<String>,
    /// The job that deletes it, if the API returned one.
    job: Option<Job>,
    /// The call that continues, while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for DeleteModel {
    const NAME: &'static str = "delete_model";
    const TITLE: &'static str = "Delete model";
    const DESCRIPTION: &'static str = "Delete a model permanently; this cannot be undone. The \
        user may have to confirm it. Fails and lists the syncs that read from it, unless `force` is \
        true: only if the user agrees to break them. Before: `get_model`.";
    const EFFECT: Effect = Effect::Destructive;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let Args { model_id, expected_name, force } = args;
        let expected = expected_name.as_deref();
        let model = match expected.is_some() || cx.requires_confirmation(Stake::Loss) {
            true => Some(cx.get_current_model(model_id).await?),
            false => None,
        };
        if let (Some(expected), Some(model)) = (expected, &model) {
            check_expected_name(MODEL, model.name.as_deref(), expected, UNCHANGED)?;
            cx.require_undamaged(&json!(model.name))?;
        }
        let mut syncs = None;
        if !force {
            let dependents = dependents(cx, model_id).await?;
            if !dependents.is_empty() {
                return Err(dependents_exist(model_id, dependents));
            }
            syncs = Some(dependents);
        }
        if let Some(model) = &model {
            let change = ModelChange {
                id: model_id,
                model,
                stake: Stake::Loss,
                is_expected: expected.is_some(),
                syncs,
                writes_what_was_read: false,
                unchanged: UNCHANGED,
            };
            change.confirm(cx, |model, syncs| question(model_id, model, syncs)).await?;
        }
        let organization_id = model
            .and_then(|model| model.organization_id)
            .or_else(|| cx.client().organization_id().map(str::to_owned));
        let done = Output {
            deleted: true,
            model_id,
            organization_id,
            job: None,
            next: None,
            notice: None,
        };
        let Some(job) = cx.client().delete_model(model_id, &cx.call_options()).await? else {
            return Ok(done);
        };
        let job = cx.wait_for_deletion(job).await?;
        let deleted = job.has_ended();
        let next = if deleted { None } else { NextCall::get_job(&job) };
        let notice = unknown_status(&job);
        Ok(Output { deleted, next, notice, job: Some(job), ..done })
    }
}

/// Nothing was done.
const UNCHANGED: &str = "Nothing was deleted.";

/// What the user has to know.
fn question(
    model_id: ModelId,
    model: &Model,
    dependents: &Result<Vec<String>, ToolError>,
) -> Question {
    let name = quoted_name(model.name.as_deref().unwrap_or_default());
    let syncs = describe_syncs(dependents, "will break");
    let text = format!("Delete the model {name} ({model_id})? This cannot be undone.\n{syncs}");
    Question::new(text, &json!([model_state(model), sync_state(dependents)]))
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
