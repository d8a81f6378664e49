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
pub(super) fn serialize<O: Operation>(
    cx: &Context,
    output: &O::Output,
) -> Result<Box<RawValue>, ToolError> {
    let mut json = to_raw_value(output).map_err(|error| not_serializable::<O>(&error))?;
    let masked = mask_result(&json, cx.masking);
    if let Some((masked, notice)) = masked.map_err(|error| not_serializable::<O>(&error))? {
        json = add_notice(&masked, &notice).map_err(|error| not_serializable::<O>(&error))?;
    }
    if let Some(repairs) = cx.repairs_notice() {
        json = add_notice(&json, &repairs).map_err(|error| not_serializable::<O>(&error))?;
    }
    let fitted = fit_result(&json, &cx.hidden).map_err(|error| not_serializable::<O>(&error))?;
    json = fitted.unwrap_or(json);
    if !is_marked(json.get()) && truncation::fits(json.get(), cx.result_limit.bytes) {
        return Ok(json);
    }
    let bytes = {
        let text = restore(json.get(), Reader::Client);
        if truncation::fits(&text, cx.result_limit.bytes) {
            return to_raw::<O>(text.into_owned());
        }
        truncation::written_bytes(&text)
    };
    truncate::<O>(cx, output, &json, bytes)
}

/// A result with its marked numbers restored.
fn restored<O: Operation>(json: Box<RawValue>) -> Result<Box<RawValue>, ToolError> {
    match restore(json.get(), Reader::Client) {
        Cow::Owned(text) => to_raw::<O>(text),
        Cow::Borrowed(_) => Ok(json),
    }
}

fn to_raw<O: Operation>(json: String) -> Result<Box<RawValue>, ToolError> {
    RawValue::from_string(json).map_err(|error| not_serializable::<O>(&error))
}

/// The result truncated to its limit, with a note on what is left out and how to get it.
fn truncate<O: Operation>(
    cx: &Context,
    output: &O::Output,
    json: &RawValue,
    bytes: usize,
) -> Result<Box<RawValue>, ToolError> {
    let not_serializable = |error| not_serializable::<O>(&error);
    let limit = cx.result_limit;
    let has_changed_data = O::has_changed_data(output);
    let sufficient_bytes =
        (bytes + 1_000).next_multiple_of(1_000).min(truncation::MAX_RESULT_BYTES);
    if !O::may_be_truncated(output) {
        return Err(too_large::<O>(bytes, limit.bytes, sufficient_bytes, has_changed_data));
    }
    let mut target_bytes = limit.bytes;
    // A second pass if the note takes more than was reserved for it: it contains names from outside and
    // cursors, which may be long.
    for _ in 0..2 {
        let mut excerpt =
            truncation::excerpt(json.get(), target_bytes).map_err(not_serializable)?;
        let mut lists = truncation::truncate(&mut excerpt, target_bytes);
        if lists.is_none() && has_changed_data {
            // A change that was made is reported, even without the largest properties of its result.
            lists = truncation::remove_properties(&mut excerpt, target_bytes);
        }
        let Some(mut lists) = lists else { break };
        let mut result = excerpt.root;
        // A tool that returns only a part of its list knows the total.
        result.remove("truncated");
        if let Some(by_tool) = O::truncated_by_tool(output) {
            match lists.iter_mut().find(|list| list.list == by_tool.list) {
                Some(list) => list.total = by_tool.total,
                None => lists.insert(0, by_tool),
            }
        }
        let without_note =
            truncation::written_bytes(to_raw_value(&result).map_err(not_serializable)?.get());
        let cursor = lists
            .iter()
            .find_map(|list: &TruncatedList| O::cursor_after(output, &list.list, list.shown));
        // Names select items of the outer list; they do not show more of a list inside an item.
        let can_filter = limit.has_name_filter && lists.iter().any(|list| !list.list.contains('['));
        let how_to_get_more =
            how_to_get_more::<O>(cursor.is_some(), has_changed_data, can_filter, sufficient_bytes);
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
            return restored::<O>(text);
        }
        target_bytes = limit.bytes.saturating_sub(written.saturating_sub(without_note));
    }
    Err(too_large::<O>(bytes, limit.bytes, sufficient_bytes, has_changed_data))
}

fn how_to_get_more<O: Operation>(
    has_cursor: bool,
    has_changed_data: bool,
    can_filter: bool,
    sufficient_bytes: usize,
) -> String {
    if has_cursor {
        format!(
            "The total is that of this page. Call again with `next_cursor` as `cursor`, or with `max_bytes` {sufficient_bytes}."
        )
    } else if has_changed_data {
        format!(
            "Do not repeat this call to see more. Call {} with `max_bytes` {sufficient_bytes}.",
            O::SHOWN_BY[0]
        )
    } else if can_filter {
        format!("Call again with `name_contains`, or with `max_bytes` {sufficient_bytes}.")
    } else {
        format!("Call again with `max_bytes` {sufficient_bytes}.")
    }
}

fn too_large<O: Operation>(
    bytes: usize,
    limit: usize,
    sufficient_bytes: usize,
    has_changed_data: bool,
) -> ToolError {
    let name = O::NAME;
    if !has_changed_data {
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
            O::SHOWN_BY[0]
        ),
    )
    .with_outcome(Outcome::Unknown)
}

fn not_serializable<O: Operation>(error: &serde_json::Error) -> ToolError {
    tracing::error!(tool = O::NAME, %error, "result not serialized");
    ToolError::internal()
}
