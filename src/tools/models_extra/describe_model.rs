//! `describe_model`: a model with what its sample says of its fields, and how the syncs fare that read from it.
//!
//! The model, the sample and the list of syncs are requested at the same time. Without the model there is nothing to show;
//! without one of the others, the rest is.

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use smol_str::SmolStr;

use crate::polytomic::{Execution, Model, ModelId, ModelSync, Sample, SyncId};
use crate::registry::{Context, Effect, ErrorCode, Operation, ToolError};
use crate::tools::definition::{
    ModelSummary, NOTICE, Profile, ProfiledColumn, readers_of, without_secrets,
};

pub(super) struct DescribeModel;

/// How many syncs are asked for their last execution.
const MAX_SYNCS: usize = 10;
/// How many examples of a field are shown, at most: as many as fit for all fields.
const EXAMPLES: [usize; 3] = [3, 1, 0];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    model_id: ModelId,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    model: ModelSummary,
    /// Its fields with what the sample says of them.
    fields: Vec<DescribedField>,
    /// Whether the identifier holds what it promises in the sample.
    identifier: Option<DescribedIdentifier>,
    /// How many records were sampled; absent if there is no sample.
    sampled: Option<usize>,
    /// The syncs that read from it.
    syncs: Option<Vec<DescribedSync>>,
    /// What could not be read, by its part.
    #[serde(skip_serializing_if = "Map::is_empty")]
    errors: Map<String, Value>,
    /// How to treat the examples.
    notice: &'static str,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct DescribedField {
    name: SmolStr,
    #[serde(rename = "type")]
    kind: Option<SmolStr>,
    /// Share of records without a value, 0 to 1.
    nulls: Option<f64>,
    /// Share of different ones among the values that are there, 0 to 1.
    distinct: Option<f64>,
    /// Different values, shortened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct DescribedIdentifier {
    name: String,
    /// Absent without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_unique: Option<bool>,
    is_never_null: bool,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct DescribedSync {
    id: Option<String>,
    name: Option<String>,
    active: Option<bool>,
    mode: Option<String>,
    target_object: Option<String>,
    last_execution: Option<LastExecution>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct LastExecution {
    id: Option<String>,
    status: Option<String>,
    completed_at: Option<String>,
    counts: Option<Map<String, Value>>,
    /// How many errors it reports.
    error_count: Option<usize>,
}

impl Operation for DescribeModel {
    const NAME: &'static str = "describe_model";
    const TITLE: &'static str = "Describe model";
    const DESCRIPTION: &'static str = "Describe a model by one call: its source, its fields with shares of nulls and of distinct \
        values and examples from a sample, whether its identifier is unique there, and the syncs that read from it with their last \
        execution. Before: `list_models`.";
    const EFFECT: Effect = Effect::Read;
    const JOB: bool = true;
    const MAX_BYTES: Option<usize> = Some(8_000);
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, Args { model_id }: Args) -> Result<Output, ToolError> {
        let (model, sample, syncs) =
            tokio::join!(model(cx, model_id), sample(cx, model_id), described_syncs(cx, model_id));
        let model = model?;
        let mut errors = Map::new();
        let mut kept = |part: &str, error: ToolError| {
            errors.insert(part.to_owned(), format!("{} {}", error.message, error.hint).into());
        };
        let profile = sample
            .map_err(|error| kept("sample", error))
            .ok()
            .map(|sample| Profile::of(&sample, model_id));
        let syncs = syncs.map_err(|error| kept("syncs", error)).ok();
        let fields = described_fields(&model, profile.as_ref());
        let identifier =
            model.identifier.clone().filter(|name| !name.is_empty()).and_then(|name| {
                let facts = profile.as_ref()?.column(&name)?;
                let (is_unique, is_never_null) = (facts.is_unique(), facts.is_never_null());
                Some(DescribedIdentifier { name, is_unique, is_never_null })
            });
        let mut output = Output {
            model: ModelSummary::from(without_secrets(model)),
            fields,
            identifier,
            sampled: profile.as_ref().map(|profile| profile.records),
            syncs,
            errors,
            notice: NOTICE,
        };
        for count in EXAMPLES {
            output.fields.iter_mut().for_each(|field| field.examples.truncate(count));
            if cx.fits(&output) {
                break;
            }
        }
        Ok(output)
    }
}

async fn model(cx: &Context, id: ModelId) -> Result<Model, ToolError> {
    let response = cx.client().get_model(id, &cx.call_options()).await?;
    cx.resolve(response).await?.data.ok_or_else(|| unfinished("The model"))
}

async fn sample(cx: &Context, id: ModelId) -> Result<Sample, ToolError> {
    let response = cx.client().sample_model(id, &cx.call_options()).await?;
    cx.resolve(response).await?.data.ok_or_else(|| unfinished("The sample"))
}

fn unfinished(what: &str) -> ToolError {
    ToolError::new(
        ErrorCode::Timeout,
        format!("{what} was not ready in time."),
        "Call again, with a larger `wait_seconds`.",
    )
}

/// The syncs that read from a model, some of them with their last execution.
async fn described_syncs(cx: &Context, id: ModelId) -> Result<Vec<DescribedSync>, ToolError> {
    let syncs = readers_of(cx, id).await?;
    let executions = syncs.iter().take(MAX_SYNCS).map(|sync| last_execution(cx, sync));
    let mut executions = join_all(executions).await.into_iter();
    let described = syncs.into_iter().map(|sync| DescribedSync {
        last_execution: executions.next().flatten().map(LastExecution::from),
        id: sync.id,
        name: sync.name,
        active: sync.active,
        mode: sync.mode,
        target_object: sync.target_object,
    });
    Ok(described.collect())
}

/// The last execution of a sync; none if there is none, or the API does not say.
async fn last_execution(cx: &Context, sync: &ModelSync) -> Option<Execution> {
    let id = SyncId(sync.id.as_deref()?.parse().ok()?);
    let (client, options) = (cx.client(), &cx.read_options());
    let page = client.list_model_sync_executions(id, false, None, options).await.ok()?;
    page.items.into_iter().next()
}

impl From<Execution> for LastExecution {
    fn from(execution: Execution) -> Self {
        Self {
            id: execution.id,
            status: execution.status,
            completed_at: execution.completed_at,
            counts: execution.counts,
            error_count: execution.errors.map(|errors| errors.len()).filter(|count| *count > 0),
        }
    }
}

fn described_fields(model: &Model, profile: Option<&Profile>) -> Vec<DescribedField> {
    let Some(fields) = &model.fields else { return Vec::new() };
    let described = fields.iter().filter_map(|field| {
        let name = field.name.clone()?;
        let column = profile.and_then(|profile| profile.column(&name));
        Some(DescribedField {
            name,
            kind: field.kind.clone(),
            nulls: column.map(ProfiledColumn::nulls),
            distinct: column.and_then(ProfiledColumn::distinct),
            examples: column.map(|column| column.examples.clone()).unwrap_or_default(),
        })
    });
    described.collect()
}
