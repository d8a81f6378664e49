//! `get_identity`: get who the API key acts as, in which organization, and with which permissions.
//!
//! Source: API reference "Get Identity", 2025-09-18; `credential` comes from the newest SDK.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::Identity;
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::listing::to_object;

pub(super) struct GetIdentity;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Who the key acts as.
    #[schemars(with = "Identity")]
    identity: Map<String, Value>,
}

impl Operation for GetIdentity {
    const NAME: &'static str = "get_identity";
    const TITLE: &'static str = "Get identity";
    const DESCRIPTION: &'static str = "Get who the API key acts as (user, organization or partner), \
        in which organization and with which limits. The quickest way to check the key.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, Args {}: Args) -> Result<Output, ToolError> {
        let identity = to_object(&cx.client().get_identity(&cx.call_options()).await?);
        Ok(Output { identity })
    }
}
