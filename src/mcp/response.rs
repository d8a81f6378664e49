//! How responses are written: rmcp does not know the ids as they were sent, and would serialize each result twice.

use rmcp::model::{CallToolResult, ContentBlock, ErrorData, RequestId, ServerResult};
use serde::Serialize;

/// More than a result has beside its text.
const ENVELOPE_BYTES: usize = 128;
const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";

/// The response with a result, in parts.
pub(super) fn with_result_parts(
    id: &RequestId,
    result: &ServerResult,
    write: impl FnOnce(&[&[u8]]),
) {
    let text = structured_text(result);
    // Every property has four quotation marks, which are escaped in the text.
    let json = to_json_of(result, text.map_or(0, |text| text.len() + text.len() / 4));
    let (result, key, text, end): (&[u8], &[u8], &[u8], &[u8]) =
        match (json.strip_suffix(b"}"), text) {
            (Some(open), Some(text)) => (open, b",\"structuredContent\":", text.as_bytes(), b"}"),
            _ => (&json, b"", b"", b""),
        };
    write(&[HEAD, id_bytes(id), b",\"result\":", result, key, text, end, b"}"]);
}

/// What a response has before and after a result that is JSON already.
pub(super) fn around_result(id: &RequestId) -> (Vec<u8>, &'static [u8]) {
    ([HEAD, id_bytes(id), b",\"result\":"].concat(), b"}")
}

/// The response with an error, in parts.
pub(super) fn with_error_parts(id: &RequestId, error: &ErrorData, write: impl FnOnce(&[&[u8]])) {
    write(&[HEAD, id_bytes(id), b",\"error\":", &to_json(error), b"}"]);
}

/// An error about a message whose id cannot be read.
pub(super) fn error_without_id(error: &ErrorData) -> Vec<u8> {
    [b"{\"jsonrpc\":\"2.0\",\"error\":", &*to_json(error), b"}"].concat()
}

pub(super) fn to_json(message: &impl Serialize) -> Vec<u8> {
    to_json_of(message, 0)
}

/// The JSON of a message that holds a text of so many bytes.
fn to_json_of(message: &impl Serialize, text_bytes: usize) -> Vec<u8> {
    let mut json = Vec::with_capacity(text_bytes + ENVELOPE_BYTES);
    if let Err(error) = serde_json::to_writer(&mut json, message) {
        tracing::error!(%error, "message not serialized");
        return b"null".to_vec();
    }
    json
}

/// The text of an id, see [`super::message::parse`].
fn id_bytes(id: &RequestId) -> &[u8] {
    match id {
        RequestId::String(text) => text.as_bytes(),
        RequestId::Number(_) => b"null", // never
    }
}

/// The text of a successful call. The handler returns the result as one text block of compact JSON; the same bytes
/// are written once more as `structuredContent`, so that nothing is serialized twice.
fn structured_text(result: &ServerResult) -> Option<&str> {
    let ServerResult::CallToolResult(CallToolResult {
        content,
        structured_content: None,
        is_error: None | Some(false),
        ..
    }) = result
    else {
        return None;
    };
    match content.as_slice() {
        [ContentBlock::Text(text)] => Some(&text.text),
        _ => None,
    }
}
