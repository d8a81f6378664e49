//! From the output of an operation to the text that is answered: serialized once, and cut where that is too
//! large, saying what was cut and how the rest is got.
//!
//! How it is cut is in `bounds`; where a list goes on, the tool says.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::bounds::{self, Cut};
use super::error::{Code, Outcome};
use super::{Context, Operation, ToolError};

/// How many further lists are named.
const OTHERS: usize = 5;

/// What is not shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Truncated {
    #[serde(flatten)]
    pub(super) cut: Cut,
    /// The call that shows more.
    pub(super) how_to_get_more: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub(super) others: Vec<Cut>,
}

impl Truncated {
    /// The first list that was cut, and some of the others.
    fn of(cuts: Vec<Cut>, how_to_get_more: String) -> Option<Self> {
        let mut cuts = cuts.into_iter();
        let cut = cuts.next()?;
        Some(Self { cut, how_to_get_more, others: cuts.take(OTHERS).collect() })
    }
}

/// The result as compact JSON, within the bound of the call.
///
/// # Errors
/// `result_too_large` where it cannot be cut that far; `internal` where it cannot be serialized.
pub(super) fn text<O: Operation>(
    cx: &Context,
    output: &O::Output,
) -> Result<Box<RawValue>, ToolError> {
    let text = to_raw_value(output).map_err(|error| unserializable::<O>(&error))?;
    if bounds::fits(text.get(), cx.size().limit) {
        return Ok(text);
    }
    let bytes = bounds::written(text.get());
    drop(text); // it may be large, and what follows is as well
    bounded::<O>(cx, output, bytes)
}

/// The result cut to its bound, saying what was cut and how the rest is got.
fn bounded<O: Operation>(
    cx: &Context,
    output: &O::Output,
    bytes: usize,
) -> Result<Box<RawValue>, ToolError> {
    let failed = |error| unserializable::<O>(&error);
    let size = cx.size();
    let changes = O::has_changed(output);
    let enough = (bytes + 1_000).next_multiple_of(1_000).min(bounds::MOST_BYTES);
    let mut limit = size.limit;
    // A second time where what is said of the cut takes more than was left for it: names from outside and
    // cursors, which may be long, stand there.
    for _ in 0..2 {
        let mut result = serde_json::to_value(output).map_err(failed)?;
        let mut cuts = bounds::cut(&mut result, limit);
        if cuts.is_none() && changes {
            // What was done is told, be it without its largest properties.
            cuts = bounds::cut_properties(&mut result, limit);
        }
        let (Some(mut cuts), Value::Object(map)) = (cuts, &mut result) else {
            break;
        };
        // A tool that has shown only a part itself knows how many there are.
        map.shift_remove("truncated");
        if let Some(told) = O::left_out(output) {
            match cuts.iter_mut().find(|cut| cut.list == told.list) {
                Some(cut) => cut.total = told.total,
                None => cuts.insert(0, told),
            }
        }
        let unsaid = bounds::written(to_raw_value(&map).map_err(failed)?.get());
        let cursor = cuts.iter().find_map(|cut: &Cut| O::resume(output, &cut.list, cut.shown));
        // Names choose rows; of what stands inside a row they show no more.
        let narrows = size.narrows && cuts.iter().any(|cut| !cut.list.contains('['));
        let more = way_on(cursor.is_some(), changes, narrows, enough);
        if let Some(cursor) = cursor {
            map.insert("next_cursor".to_owned(), cursor.into());
        }
        let said = Truncated::of(cuts, more).map(|said| json!(said));
        map.extend(said.map(|said| ("truncated".to_owned(), said)));
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
