//! What an operation is: one trait, implemented once a tool, and its entry with the types erased.

use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::bounds::Cut;
use super::context::CallArguments;
use super::{Context, ToolError, arguments, results, schema};

/// What a call does to stored things. The annotations that clients see are computed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is changed.
    Read,
    /// Something is added or changed.
    Write {
        /// A second call with the same arguments changes nothing more.
        idempotent: bool,
        /// What was there before may be lost.
        overwrites: bool,
    },
    /// Something is lost.
    Destructive,
}

impl Effect {
    /// Whether stored things stay as they are.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self == Self::Read
    }

    /// Whether something may be lost. In MCP, false means only adding.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Destructive | Self::Write { overwrites: true, .. })
    }

    /// Whether a second equal call changes nothing more.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Write { idempotent: false, .. })
    }
}

/// One operation: a tool on the MCP face, a method on the JSON-RPC face.
pub trait Operation: 'static {
    /// Name of the tool and of its file, in snake_case.
    const NAME: &'static str;
    /// Name for people.
    const TITLE: &'static str;
    /// What it does, what to call before and after; at most 600 characters.
    const DESCRIPTION: &'static str;
    /// What it does to stored things.
    const EFFECT: Effect;
    /// Whether the API may answer with a job; then `async` and `wait_seconds` are added.
    const JOB: bool = false;
    /// The arguments.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// The result.
    type Output: Serialize + JsonSchema + Send;

    /// Mends and checks what the advertised schema only refers to; the rest has been.
    ///
    /// # Errors
    /// `invalid_argument` that names the place.
    fn mend(_arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
        Ok(())
    }

    /// Does it.
    fn call(
        cx: &Context,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Whether this call has changed anything; then it is not to be repeated for the rest of its result.
    fn has_changed(_output: &Self::Output) -> bool {
        !Self::EFFECT.is_read_only()
    }

    /// What a tool has left out itself, and says so in `truncated`.
    fn left_out(_output: &Self::Output) -> Option<Cut> {
        None
    }

    /// Where a list that goes on by `next_cursor` goes on, if only its first `shown` items are shown.
    fn resume(_output: &Self::Output, _list: &str, _shown: usize) -> Option<String> {
        None
    }
}

/// A call under way: the result as compact JSON, or why there is none.
pub(super) type Running<'a> =
    Pin<Box<dyn Future<Output = Result<Box<RawValue>, ToolError>> + Send + 'a>>;

/// One operation with its types erased. Made in a static table, so building it costs nothing.
pub struct Entry {
    /// Name of the tool.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What it does to stored things.
    pub effect: Effect,
    /// Whether it may become a job.
    pub job: bool,
    input: fn() -> Map<String, Value>,
    output: fn() -> Map<String, Value>,
    run: for<'a> fn(&'a Context, Map<String, Value>) -> Running<'a>,
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
            input: schema::input::<O::Args>,
            output: schema::output::<O::Output>,
            run: run::<O>,
        }
    }

    /// The schema of the arguments, those that the registry takes off the call included.
    pub(super) fn input_schema(&self) -> Map<String, Value> {
        let mut schema = (self.input)();
        if let Some(Value::Object(properties)) = schema.get_mut("properties")
            && let Some(Value::Object(added)) =
                schema::input::<CallArguments>().remove("properties")
        {
            let added = added.into_iter().filter(|(name, _)| self.takes(name));
            added.for_each(|(name, schema)| {
                properties.entry(name).or_insert(schema);
            });
        }
        schema
    }

    /// Whether an argument of all tools makes sense for this one.
    fn takes(&self, name: &str) -> bool {
        match name {
            "async" | "wait_seconds" => self.job,
            // What is not idempotent goes as POST.
            "idempotency_key" => !self.effect.is_idempotent(),
            _ => true,
        }
    }

    /// The schema of the result.
    pub(super) fn output_schema(&self) -> Map<String, Value> {
        (self.output)()
    }

    pub(super) fn run<'a>(&self, cx: &'a Context, arguments: Map<String, Value>) -> Running<'a> {
        (self.run)(cx, arguments)
    }
}

fn run<O: Operation>(cx: &Context, mut arguments: Map<String, Value>) -> Running<'_> {
    Box::pin(async move {
        O::mend(&mut arguments)?;
        let args: O::Args = arguments::read(arguments)?;
        let output = O::call(cx, args).await?;
        results::text::<O>(cx, &output)
    })
}
