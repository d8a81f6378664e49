//! An operation with its types erased, for the static list of a toolset.

use std::future::Future;
use std::pin::Pin;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::ToolError;
use super::fitted_text::Hidden;
use super::operation::{Effect, Operation};
use super::result::OutputOf;
use super::schema::SameArguments;
use super::shared_arguments::SharedArguments;
use super::{input, result, schema};

/// A running call: its result as compact JSON, or its error.
pub(super) type RunningCall<'a> =
    Pin<Box<dyn Future<Output = Result<Box<RawValue>, ToolError>> + Send + 'a>>;

/// One operation with its types erased. Built in a static table, so it costs nothing at startup.
pub struct Entry {
    /// Name of the tool.
    pub name: &'static str,
    /// Display name.
    pub title: &'static str,
    /// What the tool does.
    pub description: &'static str,
    /// What a call does to stored data.
    pub effect: Effect,
    /// Whether the tool takes `async` and `wait_seconds`.
    pub job: bool,
    dry_run: Option<&'static str>,
    same_as: Option<SameArguments>,
    /// Whether it creates a model.
    pub(super) creates_model: bool,
    /// The tools that show what a call of this one has changed.
    pub(super) shown_by: [&'static str; 2],
    /// Size limit of its results, if it is less than that of other tools.
    pub(super) max_bytes: Option<usize>,
    large_results: bool,
    input: fn() -> Map<String, Value>,
    output: fn() -> Map<String, Value>,
    run: for<'a> fn(&'a Context, Map<String, Value>) -> RunningCall<'a>,
}

impl Entry {
    /// The entry of an operation.
    #[must_use]
    pub const fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            title: O::TITLE,
            description: O::DESCRIPTION,
            effect: O::EFFECT,
            job: O::JOB,
            dry_run: O::DRY_RUN,
            same_as: O::SAME_AS,
            creates_model: O::CREATES_MODEL,
            shown_by: O::SHOWN_BY,
            max_bytes: O::MAX_BYTES,
            large_results: O::LARGE_RESULTS,
            input: schema::input::<O::Args>,
            output: schema::output::<O::Output>,
            run: run::<O>,
        }
    }

    /// Whether a call with these arguments changes nothing.
    pub(super) fn only_reads(&self, arguments: &Map<String, Value>) -> bool {
        let is_true = |name: &str| arguments.get(name) == Some(&Value::Bool(true));
        self.effect.is_read_only() || self.dry_run.is_some_and(is_true)
    }

    /// Schema by which the arguments are validated, including those that the registry adds.
    pub(super) fn input_schema(&self) -> Map<String, Value> {
        let mut schema = (self.input)();
        if let Some(Value::Object(properties)) = schema.get_mut("properties")
            && let Some(Value::Object(shared)) =
                schema::input::<SharedArguments>().remove("properties")
        {
            for (name, schema) in shared.into_iter().filter(|(name, _)| self.takes_shared(name)) {
                properties.entry(name).or_insert(schema);
            }
        }
        schema
    }

    /// The same schema as clients see it. A tool with small results does not list `max_bytes`, since every byte of
    /// the list costs context, but takes it: the hint of a truncated result names it. For the same reason no tool
    /// lists the second name of `async`. `hidden`: the tools that are not served, to which nothing can be left.
    pub(super) fn advertised(
        &self,
        mut schema: Map<String, Value>,
        hidden: &Hidden,
    ) -> Map<String, Value> {
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.shift_remove("background");
            if !self.large_results {
                properties.shift_remove("max_bytes");
            }
        }
        let same_as = self.same_as.filter(|same| !hidden.contains(same.tool));
        schema::advertised(schema, same_as)
    }

    /// Whether the tool takes a shared argument.
    fn takes_shared(&self, name: &str) -> bool {
        match name {
            "async" | "background" | "wait_seconds" => self.job,
            // Operations that are not idempotent are sent as POST, which carries a key.
            "idempotency_key" => !self.effect.is_idempotent(),
            _ => true,
        }
    }

    /// Schema of the result, to which any tool may add a notice.
    pub(super) fn output_schema(&self) -> Map<String, Value> {
        let mut schema = (self.output)();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.entry("notice").or_insert_with(|| json!({"type": "string"}));
        }
        schema
    }

    pub(super) fn run<'a>(
        &self,
        cx: &'a Context,
        arguments: Map<String, Value>,
    ) -> RunningCall<'a> {
        (self.run)(cx, arguments)
    }
}

fn run<O: Operation>(cx: &Context, arguments: Map<String, Value>) -> RunningCall<'_> {
    Box::pin(async move {
        let args: O::Args = input::deserialize(arguments)?;
        let output = O::call(cx, args).await?;
        result::serialize(cx, &OutputOf::<O>(&output))
    })
}
