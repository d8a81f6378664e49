//! `create_model_sync`: create a sync from models to an object of a connection.
//!
//! Source: API reference "Create Model Sync", 2025-09-18. The client retries; this tool does not.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::polytomic::{ModelSync, NewModelSync};
use crate::registry::{
    Context, Effect, Operation, Question, SYNC, SameArguments, Stake, Subject, ToolError,
    quoted_name,
};
use crate::tools::definition::refuse_masks_in;
use crate::tools::sync_objects::{describe_target, shown_sync};

pub(super) struct CreateModelSync;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The created sync.
    #[schemars(with = "ModelSync")]
    sync: Map<String, Value>,
}

impl Operation for CreateModelSync {
    const NAME: &'static str = "create_model_sync";
    const TITLE: &'static str = "Create model sync";
    const DESCRIPTION: &'static str = "Create a sync, which writes fields of models to an object of a connection. Every call \
        creates a new one; after an error with `outcome` unknown the same call can be repeated. Before: `get_model`, \
        `get_target_fields`. After: `start_model_sync`.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: false };
    const SHOWN_BY: [&'static str; 2] = ["get_model_sync", "list_model_syncs"];
    const LARGE_RESULTS: bool = false;
    type Args = NewModelSync;
    type Output = Output;

    async fn call(cx: &Context, mut args: NewModelSync) -> Result<Output, ToolError> {
        // The API requires one.
        args.schedule
            .get_or_insert_with(|| Map::from_iter([("frequency".to_owned(), "manual".into())]));
        refuse_masks_in(SYNC, &args)?;
        let question = async || {
            let name = quoted_name(&args.name);
            let target = json!(args.target);
            let target = describe_target(target.as_object(), Some(&args.mode));
            let text = format!("Create the sync {name}, which writes {target}?");
            Question::about_arguments(text)
        };
        cx.confirm(Stake::Change, Subject::New(SYNC), "Nothing was created.", question).await?;
        let sync = cx.client().create_model_sync(&args, &cx.call_options()).await?;
        cx.note_sync(&sync);
        Ok(Output { sync: shown_sync(&sync) })
    }
}

/// Arguments whose properties only this tool describes.
pub(super) const NESTED: SameArguments = SameArguments {
    tool: CreateModelSync::NAME,
    arguments: &[
        "target",
        "fields",
        "schedule",
        "identity",
        "identities",
        "model_filters",
        "target_filters",
        "override_fields",
        "overrides",
    ],
};
