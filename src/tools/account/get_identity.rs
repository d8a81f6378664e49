//! `get_identity`: who the key is, in which organization, and what it may do.
//!
//! Source: API reference "Get Identity", 2025-09-18; `credential` is of the newest SDK.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::polytomic::Identity;
use crate::tools::detail::object;
use crate::tools::{Context, Effect, Operation, ToolError};

pub(super) struct GetIdentity;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Whom the key acts as.
    #[schemars(with = "Identity")]
    identity: Map<String, Value>,
}

impl Operation for GetIdentity {
    const NAME: &'static str = "get_identity";
    const TITLE: &'static str = "Get identity";
    const DESCRIPTION: &'static str = "Tell who the key is: user, organization or partner, in \
        which organization, with which limits. The quickest check of a key.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, Args {}: Args) -> Result<Output, ToolError> {
        let identity = object(&cx.client().get_identity(cx.call_options()).await?);
        Ok(Output { identity })
    }
}
