//! The syncs that read from a model, and would break without it.
//!
//! By the `model_ids` of each list item, or by the complete sync if its list item has none. What cannot be determined is
//! an error: none of the syncs may be overlooked.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::polytomic::{Error, ModelId, ModelSync, SyncId};
use crate::registry::{Context, ErrorCode, Outcome, ToolError, listed_names};
use crate::tools::listing::{ENDLESS, MAX_PAGES, MAX_READING_TIME, read_all};

/// The names of all syncs that read from a model; the id of one without a name.
///
/// # Errors
/// With a hint that nothing was deleted, if they could not be determined.
pub(in crate::tools) async fn dependents(
    cx: &Context,
    model_id: ModelId,
) -> Result<Vec<String>, ToolError> {
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
    let found = async {
        // Nothing is requested for a number that would end in the same error.
        let found = tokio::time::timeout_at(until, readers(cx, model_id, syncs));
        if unlisted <= MAX_PAGES { found.await.ok() } else { None }
    };
    let found = found.await.ok_or_else(|| too_many_syncs(unlisted))?;
    let name = |sync: ModelSync| {
        let name = sync.name.filter(|name| !name.is_empty());
        name.or(sync.id).unwrap_or_default()
    };
    Ok(found.map_err(undetermined)?.into_iter().map(name).collect())
}

/// The syncs that read from a model, as far as their list says so.
///
/// # Errors
/// As [`Client::list_model_syncs`](crate::polytomic::Client::list_model_syncs); `upstream_error` if the list has no end.
pub(in crate::tools) async fn readers_of(
    cx: &Context,
    model_id: ModelId,
) -> Result<Vec<ModelSync>, ToolError> {
    let syncs = all_syncs(cx).await?.ok_or_else(|| {
        let message = format!("The list of model syncs has no end: {ENDLESS}.");
        ToolError::new(ErrorCode::UpstreamError, message, "Report it to Polytomic's support.")
    })?;
    Ok(syncs.into_iter().filter(|sync| sync.reads(model_id)).collect())
}

/// The syncs as a line of a question. With `will break` as `consequence`: `2 syncs read from it and will break: "A", "B".`
pub(in crate::tools) fn describe_syncs(
    syncs: &Result<Vec<String>, ToolError>,
    consequence: &str,
) -> String {
    let Ok(names) = syncs else {
        return format!(
            "The syncs that read from it could not be determined; if there are any, they {consequence}."
        );
    };
    // In any order that the API lists them, the question is the same.
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    let listed = || listed_names(names.iter().copied());
    match names.len() {
        0 => "No sync reads from it.".to_owned(),
        1 => format!("1 sync reads from it and {consequence}: {}.", listed()),
        count => format!("{count} syncs read from it and {consequence}: {}.", listed()),
    }
}

/// What differs if other syncs read from the model: all names, of which a question lists some.
pub(in crate::tools) fn sync_state(syncs: &Result<Vec<String>, ToolError>) -> Value {
    let mut names = syncs.as_ref().ok().cloned();
    names.iter_mut().for_each(|names| names.sort_unstable());
    json!(names)
}

/// All syncs; none if their list has no end.
async fn all_syncs(cx: &Context) -> Result<Option<Vec<ModelSync>>, Error> {
    read_all(move |limit, token: Option<String>| async move {
        cx.client().list_model_syncs(Some(limit), token.as_deref(), &cx.call_options()).await
    })
    .await
}

/// Those syncs that read from a model.
async fn readers(
    cx: &Context,
    model_id: ModelId,
    syncs: Vec<ModelSync>,
) -> Result<Vec<ModelSync>, ToolError> {
    let (mut readers, mut read) = (Vec::new(), Vec::new());
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
            readers.push(sync);
        }
    }
    if readers.is_empty() {
        cx.require_undamaged(&read.into())?;
    }
    Ok(readers)
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
            let sync = cx.client().get_model_sync(id, &cx.call_options()).await?;
            let has_fields = || sync.rest.as_ref().is_some_and(|rest| rest.contains_key("fields"));
            if sync.model_ids.is_some() || has_fields() {
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
