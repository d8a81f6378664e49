//! `get_enrichment_fields`: list the inputs of an enrichment.
//!
//! Source: API reference "Enrichment Fields", 2025-09-18; the operation `get_enrichment_input_fields`, a
//! POST that changes nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::get_enrichment_source::Args;
use super::get_model_source::SourceChoices;
use crate::registry::{Context, Effect, Operation, ToolError};

pub(super) struct GetEnrichmentFields;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Sets of inputs; each set is sufficient.
    inputs: Vec<Vec<String>>,
}

impl Operation for GetEnrichmentFields {
    const NAME: &'static str = "get_enrichment_fields";
    const TITLE: &'static str = "Get enrichment fields";
    const DESCRIPTION: &'static str = "List the inputs of an enrichment, as sets of which one is \
        sufficient, for `enricher.mappings` of a model. Before: `get_enrichment_source`.";
    const EFFECT: Effect = Effect::Read;
    const LARGE_RESULTS: bool = false;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let (id, SourceChoices(choices)) = (args.connection_id, args.configuration);
        let inputs = cx.client().get_enrichment_fields(id, &choices, &cx.call_options()).await?;
        Ok(Output { inputs })
    }
}
