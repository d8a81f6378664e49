//! `get_enrichment_source`: get what a connection can add to the records of a model.
//!
//! Source: API reference "Get Enrichment Source", 2025-09-18. The choices become `enricher.configuration`
//! of the model (gap G20).

use schemars::JsonSchema;
use serde::Deserialize;

use super::get_model_source::{SourceChoices, shown_source};
use crate::polytomic::{ConnectionId, Source};
use crate::registry::{Context, Effect, Operation, ToolError};

pub(super) struct GetEnrichmentSource;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    pub(super) connection_id: ConnectionId,
    /// The choices so far, e.g. `{"object": "people"}`.
    #[serde(default)]
    pub(super) configuration: SourceChoices,
}

impl Operation for GetEnrichmentSource {
    const NAME: &'static str = "get_enrichment_source";
    const TITLE: &'static str = "Get enrichment source";
    const DESCRIPTION: &'static str = "Get what `enricher.configuration` of a model can contain \
        for a connection that enriches records, such as Apollo. Before: `list_connections`. \
        After: `get_enrichment_fields`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Source;

    async fn call(cx: &Context, args: Args) -> Result<Source, ToolError> {
        let (id, SourceChoices(choices)) = (args.connection_id, args.configuration);
        let source = cx.client().get_enrichment_source(id, &choices, &cx.call_options()).await?;
        Ok(shown_source(source, &choices, None))
    }
}
