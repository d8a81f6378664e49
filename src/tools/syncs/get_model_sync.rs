//! `get_model_sync`: get one sync with its mappings, filters and target.
//!
//! Source: API reference "Get Model Sync", 2025-09-18. Its passphrase and any secret in its target are masked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::{ModelSync, SyncId};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::sync_objects::shown_sync;

pub(super) struct GetModelSync;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    sync_id: SyncId,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The sync.
    #[schemars(with = "ModelSync")]
    sync: Map<String, Value>,
}

impl Operation for GetModelSync {
    const NAME: &'static str = "get_model_sync";
    const TITLE: &'static str = "Get model sync";
    const DESCRIPTION: &'static str = "Get a sync: which fields of which models it writes to \
        which target, its identity, filters, mode and schedule. Before: `list_model_syncs`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let sync = cx.client().get_model_sync(args.sync_id, &cx.call_options()).await?;
        Ok(Output { sync: shown_sync(&sync) })
    }
}
