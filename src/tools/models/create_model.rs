//! `create_model`: save a model over a table, view or query of one connection.
//!
//! Source: API reference "Create Model", 2025-09-18. A slow save, or one with `async`, comes back as a
//! `createmodel` job; `settle` waits for it. Nothing is retried here: that is the client's.

use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, NewModel};
use crate::tools::{Context, Effect, NextCall, Operation, ToolError, arguments, schema};

pub(super) struct CreateModel;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The model as saved; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that saves it; absent when the API answered without one.
    job: Option<Job>,
    /// The call that goes on from here; present while the job is unfinished.
    next: Option<NextCall>,
}

impl Operation for CreateModel {
    const NAME: &'static str = "create_model";
    const TITLE: &'static str = "Create model";
    const DESCRIPTION: &'static str = "Save a model: a named table, view or query of one \
        connection, for syncs to read from. Each call saves another one. Before: \
        `get_model_source` for its tables, `preview_model` to see its fields. After: \
        `sample_records`, or `get_job` where the job takes longer than `wait_seconds`.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: false };
    const JOB: bool = true;
    type Args = NewModel;
    type Output = Output;

    async fn call(cx: &Context, model: NewModel) -> Result<Output, ToolError> {
        let answer = cx.client().create_model(&model, cx.call_options()).await?;
        let settled = cx.settle(answer).await?;
        Ok(Output { model: settled.data, job: settled.job, next: settled.next })
    }
}

/// The parts that other tools only refer to.
const PARTS: [&str; 3] = ["additional_fields", "enricher", "relations"];

/// The schema of these arguments for tools that take them too: their parts are told once, here, since each
/// byte of the list costs context; they are mended by [`mend_parts`] and read by the same type.
pub(super) fn referred_to(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = NewModel::json_schema(generator);
    let told = "As `create_model` has it.";
    let list = json!({"type": "array", "items": {"type": "object"}, "description": told});
    let one = json!({"type": "object", "description": told});
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for name in PARTS {
            let part = if name == "enricher" { &one } else { &list };
            properties.insert(name.to_owned(), part.clone());
        }
    }
    schema
}

/// Mends the parts of a call whose schema is [`referred_to`], by the schema that tells them.
///
/// # Errors
/// As for `create_model`.
pub(super) fn mend_parts(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
    static TOLD: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let mut told = schema::input::<NewModel>();
        if let Some(Value::Object(properties)) = told.get_mut("properties") {
            properties.retain(|name, _| PARTS.contains(&name.as_str()));
        }
        // The others have been seen to.
        told.retain(|keyword, _| keyword == "properties");
        told
    });
    arguments::mend(arguments, &TOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_printed_in_the_reference_is_sent_word_for_word() {
        let printed = serde_json::json!({
            "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
            "name": "Users",
            "configuration": {"table": "public.users"},
        });
        let read: NewModel = serde_json::from_value(printed.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), printed);
    }
}
