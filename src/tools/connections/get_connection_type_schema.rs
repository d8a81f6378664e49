//! `get_connection_type_schema`: get the schema of a connection type's configuration.
//!
//! Source: API reference "Get Connection Type Schema", 2025-09-18. It does not cover models: what a model can read
//! depends on the connection, see `get_model_source`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::registry::{Context, Effect, Operation, ToolError, redaction};

pub(super) struct GetConnectionTypeSchema;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Id of the type, e.g. `postgresql`.
    #[schemars(length(min = 1, max = 255))]
    connection_type: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// JSON Schema of the configuration of a connection, not of a model.
    schema: Map<String, Value>,
}

impl Operation for GetConnectionTypeSchema {
    const NAME: &'static str = "get_connection_type_schema";
    const TITLE: &'static str = "Get connection type schema";
    const DESCRIPTION: &'static str = "Get the JSON Schema of a connection type's \
        configuration. For a model's configuration use `get_model_source`. Before: \
        `list_connection_types`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let kind = &args.connection_type;
        let mut schema = cx.client().get_connection_type_schema(kind, &cx.call_options()).await?;
        redaction::mask_schema(&mut schema);
        Ok(Output { schema })
    }
}
