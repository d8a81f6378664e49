//! `delete_model`: remove a model for good, unless syncs use it.
//!
//! Source: API reference "Delete Model", 2025-09-18. The API does not refuse because of syncs that use the
//! model; they break. So they are looked for first, in the `model_ids` of all model syncs, or in the whole of
//! one whose list item lacks them. No `async` is sent, and no body is documented; a job is waited for if one comes (gap G6).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, ModelId, ModelSync, SyncId};
use crate::tools::error::{Code, Outcome};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError};

pub(super) struct DeleteModel;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
    /// Refuse if the model has another name, e.g. `Users`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    expected_name: Option<String>,
    /// Delete although syncs use it, e.g. `true`.
    #[serde(default)]
    force: bool,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// True when the model is gone; false while the API is still at it.
    deleted: bool,
    /// The model.
    model_id: ModelId,
    /// The job that deletes it, where the API speaks of one.
    job: Option<Job>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for DeleteModel {
    const NAME: &'static str = "delete_model";
    const TITLE: &'static str = "Delete model";
    const DESCRIPTION: &'static str = "Delete a model for good. Refuses while syncs read from \
        it, with their names, unless `force` is true; then they break. Before: `get_model`, or \
        give `expected_name`.";
    const EFFECT: Effect = Effect::Destructive;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let model_id = args.model_id;
        if let Some(expected) = &args.expected_name {
            let model = cx.read_model(model_id).await?;
            if model.name.as_ref() != Some(expected) {
                return Err(other_name(model.name));
            }
        }
        if !args.force {
            let dependents = dependents(cx, model_id).await.map_err(|error| {
                error.with_outcome(Outcome::NotSent).with_hint(
                    "Nothing was deleted: whether syncs use the model could not be found out. Call \
                     again, or with `force` true to delete it whatever uses it.",
                )
            })?;
            if !dependents.is_empty() {
                return Err(in_use(model_id, dependents));
            }
        }
        let Some(job) = cx.client().delete_model(model_id, cx.call_options()).await? else {
            return Ok(Output { deleted: true, model_id, job: None, next: None });
        };
        let job = cx.wait_for(job).await?;
        let deleted = job.has_ended();
        let next = if deleted { None } else { NextCall::get_job(&job) };
        Ok(Output { deleted, model_id, job: Some(job), next })
    }
}

/// The names of the syncs that read a model; one without a name by its id.
async fn dependents(cx: &Context, model_id: ModelId) -> Result<Vec<String>, ToolError> {
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    let (mut token, mut last) = (None, Vec::new());
    while seen.insert(token.clone()) {
        let options = cx.call_options();
        let page = cx.client().list_model_syncs(Some(50), token.as_deref(), options).await?;
        if !last.is_empty() && page.items == last {
            break; // the API gives tokens and does not heed them
        }
        last.clone_from(&page.items);
        for sync in page.items {
            let uses = match &sync.model_ids {
                Some(_) => sync.reads(model_id),
                None => looked_at(cx, &sync).await?.mentions(model_id),
            };
            if uses {
                let name = sync.name.filter(|name| !name.is_empty());
                names.push(name.or(sync.id).unwrap_or_default());
            }
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(names);
        }
    }
    Err(ToolError::new(
        Code::UpstreamError,
        "The list of model syncs comes back to a page that was read before: it has no end.",
        "",
    ))
}

/// The whole of a sync whose list item does not say which models it reads.
async fn looked_at(cx: &Context, sync: &ModelSync) -> Result<ModelSync, ToolError> {
    let id = sync.id.as_deref().and_then(|id| id.parse().ok()).map(SyncId);
    match id {
        Some(id) => {
            let whole = cx.client().get_model_sync(id, cx.call_options()).await?;
            if whole.model_ids.is_some() || whole.rest.contains_key("fields") {
                return Ok(whole);
            }
            let told = "A sync does not say which models it reads.";
            Err(ToolError::new(Code::UpstreamError, told, ""))
        }
        None => Err(ToolError::new(
            Code::UpstreamError,
            "A sync in the list says neither which models it reads nor its id.",
            "",
        )),
    }
}

fn in_use(model_id: ModelId, syncs: Vec<String>) -> ToolError {
    let count = match syncs.len() {
        1 => "1 sync uses".to_owned(),
        count => format!("{count} syncs use"),
    };
    let mut left = NAMED_CHARACTERS;
    let names: Vec<Value> = syncs
        .into_iter()
        .map_while(|name| {
            let name: String = name.chars().take(NAME_CHARACTERS).collect();
            left = left.checked_sub(name.chars().count() + 3)?;
            Some(json!(name))
        })
        .collect();
    ToolError::new(
        Code::DependentsExist,
        format!("{count} model {model_id} and would break. Nothing was deleted."),
        "Ask the person first; then call again with `force` true. list_model_syncs with `model_id` \
         shows the syncs.",
    )
    .with_detail("syncs", Some(names))
}

/// Syncs are named up to this; further ones are counted.
const NAMED_CHARACTERS: usize = 900;
const NAME_CHARACTERS: usize = 80;

fn other_name(name: Option<String>) -> ToolError {
    ToolError::new(
        Code::Conflict,
        "The model has another name than `expected_name`. Nothing was deleted.",
        "Look with get_model whether it is the one; list_models with `name_contains` finds others.",
    )
    .with_detail("name", name)
}
