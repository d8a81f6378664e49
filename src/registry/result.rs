//! Serializes the result of a call once, and truncates it if it exceeds its size limit.
//!
//! `truncation` does the truncating; the tool knows the cursor that continues its list.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::context::Context;
use super::error::{ErrorCode, Outcome, ToolError};
use super::fitted_result::fit_result;
use super::fitted_text::fit_hint;
use super::masking::mask_result;
use super::notice::add_notice;
use super::operation::Operation;
use super::truncation::{self, TruncatedList};
use crate::polytomic::{Reader, is_marked, restore};

/// Maximum number of further truncated lists that are named.
const MAX_OTHERS: usize = 5;

/// What a call of any tool has returned. Not generic, since the compiler would copy all that follows a call for each tool.
pub(super) trait CallOutput {
    fn tool(&self) -> &'static str;
    /// The tool that shows what the call has changed.
    fn shown_by(&self) -> &'static str;
    fn to_json(&self) -> serde_json::Result<Box<RawValue>>;
    fn has_changed_data(&self) -> bool;
    fn may_be_truncated(&self) -> bool;
    fn truncated_by_tool(&self) -> Option<TruncatedList>;
    fn cursor_after(&self, list: &str, shown: usize) -> Option<String>;
}

/// The output of an operation.
pub(super) struct OutputOf<'a, O: Operation>(pub(super) &'a O::Output);

impl<O: Operation> CallOutput for OutputOf<'_, O> {
    fn tool(&self) -> &'static str {
        O::NAME
    }

    fn shown_by(&self) -> &'static str {
        O::SHOWN_BY[0]
    }

    fn to_json(&self) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(self.0)
    }

    fn has_changed_data(&self) -> bool {
        O::has_changed_data(self.0)
    }

    fn may_be_truncated(&self) -> bool {
        O::may_be_truncated(self.0)
    }

    fn truncated_by_tool(&self) -> Option<TruncatedList> {
        O::truncated_by_tool(self.0)
    }

    fn cursor_after(&self, list: &str, shown: usize) -> Option<String> {
        O::cursor_after(self.0, list, shown)
    }
}

/// What a result leaves out.
#[derive(Debug, Serialize)]
pub(crate) struct Truncation {
    #[serde(flatten)]
    pub(crate) list: TruncatedList,
    /// The call that returns more.
    pub(crate) how_to_get_more: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<TruncatedList>,
}

impl Truncation {
    /// The first truncated list, and some of the others.
    fn new(lists: Vec<TruncatedList>, how_to_get_more: String) -> Option<Self> {
        let mut lists = lists.into_iter();
        let list = lists.next()?;
        Some(Self { list, how_to_get_more, others: lists.take(MAX_OTHERS).collect() })
    }
}

/// The result as compact JSON, within the size limit of the call.
///
/// # Errors
/// `result_too_large` if it cannot be truncated that far; `internal` if it cannot be serialized.
pub(super) fn serialize(cx: &Context, output: &dyn CallOutput) -> Result<Box<RawValue>, ToolError> {
    let not_serializable = |error: serde_json::Error| not_serializable(output, &error);
    let mut json = output.to_json().map_err(not_serializable)?;
    let masked = mask_result(&json, cx.masking);
    if let Some((masked, notice)) = masked.map_err(not_serializable)? {
        json = add_notice(&masked, &notice).map_err(not_serializable)?;
    }
    if let Some(repairs) = cx.repairs_notice() {
        json = add_notice(&json, &repairs).map_err(not_serializable)?;
    }
    let fitted = fit_result(&json, &cx.hidden).map_err(not_serializable)?;
    json = fitted.unwrap_or(json);
    if !is_marked(json.get()) && truncation::fits(json.get(), cx.result_limit.bytes) {
        return Ok(json);
    }
    let bytes = {
        let text = restore(json.get(), Reader::Client);
        if truncation::fits(&text, cx.result_limit.bytes) {
            return to_raw(output, text.into_owned());
        }
        truncation::written_bytes(&text)
    };
    truncate(cx, output, &json, bytes)
}

/// A result with its marked numbers restored.
fn restored(output: &dyn CallOutput, json: Box<RawValue>) -> Result<Box<RawValue>, ToolError> {
    match restore(json.get(), Reader::Client) {
        Cow::Owned(text) => to_raw(output, text),
        Cow::Borrowed(_) => Ok(json),
    }
}

fn to_raw(output: &dyn CallOutput, json: String) -> Result<Box<RawValue>, ToolError> {
    RawValue::from_string(json).map_err(|error| not_serializable(output, &error))
}

/// The result truncated to its limit, with a note on what is left out and how to get it.
fn truncate(
    cx: &Context,
    output: &dyn CallOutput,
    json: &RawValue,
    bytes: usize,
) -> Result<Box<RawValue>, ToolError> {
    let not_serializable = |error| not_serializable(output, &error);
    let limit = cx.result_limit;
    let has_changed_data = output.has_changed_data();
    let sufficient_bytes =
        (bytes + 1_000).next_multiple_of(1_000).min(truncation::MAX_RESULT_BYTES);
    if !output.may_be_truncated() {
        return Err(too_large(output, bytes, limit.bytes, sufficient_bytes));
    }
    let mut target_bytes = limit.bytes;
    // A second pass if the note takes more than was reserved for it: it contains names from outside and
    // cursors, which may be long.
    for _ in 0..2 {
        let mut excerpt =
            truncation::excerpt(json.get(), target_bytes).map_err(not_serializable)?;
        let mut lists = truncation::truncate(&mut excerpt, target_bytes);
        let shortened = truncation::shorten_examples(json.get(), target_bytes, lists.as_deref());
        if let Some((with_all_fields, truncated)) = shortened.map_err(not_serializable)? {
            (excerpt, lists) = (with_all_fields, Some(truncated));
        }
        if lists.is_none() && has_changed_data {
            // A change that was made is reported, even without the largest properties of its result.
            lists = truncation::remove_properties(&mut excerpt, target_bytes);
        }
        let Some(mut lists) = lists else { break };
        let mut result = excerpt.root;
        // A tool that returns only a part of its list knows the total.
        result.remove("truncated");
        if let Some(by_tool) = output.truncated_by_tool() {
            match lists.iter_mut().find(|list| list.list == by_tool.list) {
                Some(list) => list.total = by_tool.total,
                None => lists.insert(0, by_tool),
            }
        }
        let without_note =
            truncation::written_bytes(to_raw_value(&result).map_err(not_serializable)?.get());
        let cursor = lists
            .iter()
            .find_map(|list: &TruncatedList| output.cursor_after(&list.list, list.shown));
        // Names select items of the outer list; they do not show more of a list inside an item.
        let can_filter = limit.has_name_filter && lists.iter().any(|list| !list.list.contains('['));
        let is_inside_item = lists.first().is_some_and(|list| list.list.contains('['));
        let how_to_get_more = match is_inside_item && cursor.is_some() {
            true => format!(
                "Call again with `max_bytes` {sufficient_bytes}. With `next_cursor` as `cursor` the next page follows."
            ),
            false => how_to_get_more(output, cursor.is_some(), can_filter, sufficient_bytes),
        };
        let how_to_get_more = fit_hint(&how_to_get_more, &cx.hidden).into_owned();
        if let Some(cursor) = cursor {
            result.set("next_cursor", cursor.into());
        }
        if let Some(note) = Truncation::new(lists, how_to_get_more) {
            result.set("truncated", json!(note));
        }
        let text = to_raw_value(&result).map_err(not_serializable)?;
        let written = truncation::written_bytes(text.get());
        if written <= limit.bytes {
            return restored(output, text);
        }
        target_bytes = limit.bytes.saturating_sub(written.saturating_sub(without_note));
    }
    Err(too_large(output, bytes, limit.bytes, sufficient_bytes))
}

fn how_to_get_more(
    output: &dyn CallOutput,
    has_cursor: bool,
    can_filter: bool,
    sufficient_bytes: usize,
) -> String {
    if has_cursor {
        format!(
            "The total is that of this page. Call again with `next_cursor` as `cursor`, or with `max_bytes` {sufficient_bytes}."
        )
    } else if output.has_changed_data() {
        format!(
            "Do not repeat this call to see more. Call {} with `max_bytes` {sufficient_bytes}.",
            output.shown_by()
        )
    } else if can_filter {
        format!("Call again with `name_contains`, or with `max_bytes` {sufficient_bytes}.")
    } else {
        format!("Call again with `max_bytes` {sufficient_bytes}.")
    }
}

fn too_large(
    output: &dyn CallOutput,
    bytes: usize,
    limit: usize,
    sufficient_bytes: usize,
) -> ToolError {
    let name = output.tool();
    if !output.has_changed_data() {
        return ToolError::new(
            ErrorCode::ResultTooLarge,
            format!(
                "The result of {name} has {bytes} bytes, exceeds {limit}, and cannot be truncated."
            ),
            format!("Call again with `max_bytes` {sufficient_bytes}, or request less."),
        )
        .with_outcome(Outcome::Refused);
    }
    ToolError::new(
        ErrorCode::ResultTooLarge,
        format!("{name} was applied; its result has {bytes} bytes and exceeds {limit}."),
        format!(
            "Do not repeat this call. Call {} with `max_bytes` {sufficient_bytes}.",
            output.shown_by()
        ),
    )
    .with_outcome(Outcome::Unknown)
}

fn not_serializable(output: &dyn CallOutput, error: &serde_json::Error) -> ToolError {
    tracing::error!(tool = output.tool(), %error, "result not serialized");
    ToolError::internal()
}
