//! What an operation is: one trait, implemented once a tool, and its entry with the types erased.

use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::bounds::Cut;
use super::context::CallArguments;
use super::error::{Code, Outcome};
use super::{Context, ToolError, arguments, bounds, schema};

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
        let text = to_raw_value(&output).map_err(|error| unserializable::<O>(&error))?;
        if bounds::fits(text.get(), cx.size().limit) {
            return Ok(text);
        }
        let bytes = bounds::written(text.get());
        drop(text); // it may be large, and what follows is as well
        bounded::<O>(cx, &output, bytes)
    })
}

/// The result cut to its bound, saying what was cut and how the rest is got.
fn bounded<O: Operation>(
    cx: &Context,
    output: &O::Output,
    bytes: usize,
) -> Result<Box<RawValue>, ToolError> {
    let failed = |error| unserializable::<O>(&error);
    let size = cx.size();
    let mut changes = !O::EFFECT.is_read_only();
    let enough = (bytes + 1_000).next_multiple_of(1_000).min(bounds::MOST_BYTES);
    let mut limit = size.limit;
    // A second time where what is said of the cut takes more than was left for it: names from outside and
    // cursors, which may be long, stand there.
    for _ in 0..2 {
        let mut result = serde_json::to_value(output).map_err(failed)?;
        // What a call only tried may be tried again.
        changes &= result.get("dry_run") != Some(&true.into());
        let mut cuts = bounds::cut(&mut result, limit);
        if cuts.is_none() && changes {
            // What was done is told, be it without its largest properties.
            cuts = bounds::cut_properties(&mut result, limit);
        }
        let (Some(mut cuts), Value::Object(map)) = (cuts, &mut result) else {
            break;
        };
        // A tool that has shown only a part itself knows how many there are.
        if let Some(told) = map.shift_remove("truncated").and_then(|told| Cut::read(&told)) {
            match cuts.iter_mut().find(|cut| cut.list == told.list) {
                Some(cut) => cut.total = told.total,
                None => cuts.insert(0, told),
            }
        }
        let unsaid = bounds::written(to_raw_value(&map).map_err(failed)?.get());
        let cursor = cuts.iter().find_map(|cut: &Cut| O::resume(output, &cut.list, cut.shown));
        let is_outer = cuts.first().is_some_and(|cut| !cut.list.contains('['));
        let more = way_on(cursor.is_some() && is_outer, changes, size.narrows && is_outer, enough);
        if let Some(cursor) = cursor {
            map.insert("next_cursor".to_owned(), cursor.into());
        }
        if let Some(said) = bounds::said(&cuts, &more) {
            map.insert("truncated".to_owned(), said);
        }
        let text = to_raw_value(&result).map_err(failed)?;
        let written = bounds::written(text.get());
        if written <= size.limit {
            return Ok(text);
        }
        limit = size.limit.saturating_sub(written.saturating_sub(unsaid));
    }
    Err(too_large::<O>(bytes, size.limit, enough, changes))
}

/// How the rest of a cut result is got.
fn way_on(pages: bool, changes: bool, narrows: bool, enough: usize) -> String {
    if pages {
        format!(
            "The total is this page's. Call again with `next_cursor` as `cursor`, or with `max_bytes` {enough}."
        )
    } else if changes {
        format!("get_model with `max_bytes` {enough} shows it; do not repeat this call for it.")
    } else if narrows {
        format!("Call again with `name_contains`, or with `max_bytes` {enough}.")
    } else {
        format!("Call again with `max_bytes` {enough}.")
    }
}

fn too_large<O: Operation>(bytes: usize, limit: usize, enough: usize, changes: bool) -> ToolError {
    let name = O::NAME;
    if !changes {
        return ToolError::new(
            Code::ResultTooLarge,
            format!(
                "The result of {name} has {bytes} bytes, more than {limit}, and cannot be cut."
            ),
            format!("Call again with `max_bytes` {enough}, or ask for less."),
        )
        .with_outcome(Outcome::Refused);
    }
    ToolError::new(
        Code::ResultTooLarge,
        format!("{name} was carried out; its result has {bytes} bytes, more than {limit}."),
        format!("Look at it with get_model and `max_bytes` {enough}; do not repeat the call."),
    )
    .with_outcome(Outcome::Unknown)
}

fn unserializable<O: Operation>(error: &serde_json::Error) -> ToolError {
    tracing::error!(tool = O::NAME, %error, "result not serialized");
    ToolError::internal()
}
