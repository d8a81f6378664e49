//! `create_model`: create a model from a table, view or query of one connection.
//!
//! Source: API reference "Create Model", 2025-09-18. A slow request, or one with `async`, returns a
//! `createmodel` job, which `resolve` waits for. The client retries; this tool does not.

use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;

use crate::polytomic::{Job, Model, NewModel};
use crate::registry::{Context, Effect, NextCall, Operation, Resolved, ToolError, coerce, schema};

pub(super) struct CreateModel;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The created model; absent while `job` is unfinished.
    model: Option<Model>,
    /// The job that creates it, if the API returned one.
    job: Option<Job>,
    /// The call that continues; present while the job is unfinished.
    next: Option<NextCall>,
    /// Present if the status of the job is unknown.
    notice: Option<&'static str>,
}

impl Operation for CreateModel {
    const NAME: &'static str = "create_model";
    const TITLE: &'static str = "Create model";
    const DESCRIPTION: &'static str = "Create a model from a table, view or SQL query of a \
        connection, for syncs to read from. Every call creates a new model. Before: \
        `get_model_source` for the tables, `preview_model` for the fields. After: \
        `sample_records`, or `get_job` if the job takes longer than `wait_seconds`.";
    const EFFECT: Effect = Effect::Write { idempotent: false, overwrites: false };
    const JOB: bool = true;
    type Args = NewModel;
    type Output = Output;

    async fn call(cx: &Context, model: NewModel) -> Result<Output, ToolError> {
        let response = cx.client().create_model(&model, cx.call_options()).await?;
        let Resolved { data: model, job, next, notice } = cx.resolve(response).await?;
        Ok(Output { model, job, next, notice })
    }
}

/// Arguments whose nested properties only this tool describes.
const NESTED: [&str; 3] = ["additional_fields", "enricher", "relations"];

/// Schema of the same arguments for other tools. Nested properties refer to this tool, since every byte of the list
/// of tools costs context; [`coerce_nested`] coerces them.
pub(super) fn abbreviated_schema(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = NewModel::json_schema(generator);
    let description = "Same as in `create_model`.";
    let list = json!({"type": "array", "items": {"type": "object"}, "description": description});
    let object = json!({"type": "object", "description": description});
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for name in NESTED {
            let abbreviated = if name == "enricher" { &object } else { &list };
            properties.insert(name.to_owned(), abbreviated.clone());
        }
    }
    schema
}

/// Coerces the arguments that [`abbreviated_schema`] abbreviates, by their complete schema.
///
/// # Errors
/// As for `create_model`.
pub(super) fn coerce_nested(arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
    static NESTED_SCHEMA: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let mut schema = schema::input::<NewModel>();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| NESTED.contains(&name.as_str()));
        }
        schema.shift_remove("required");
        schema
    });
    let nested = NESTED.iter().filter_map(|name| arguments.shift_remove_entry(*name));
    let mut nested: Map<String, Value> = nested.collect();
    coerce(&mut nested, &NESTED_SCHEMA)?;
    arguments.extend(nested);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_of_the_reference_is_sent_unchanged() {
        let reference = serde_json::json!({
            "connection_id": "248df4b7-aa70-47b8-a036-33ac447e668d",
            "name": "Users",
            "configuration": {"table": "public.users"},
        });
        let model: NewModel = serde_json::from_value(reference.clone()).unwrap();
        assert_eq!(serde_json::to_value(&model).unwrap(), reference);
    }
}
