//! How responses are written: rmcp does not know the ids as they were sent, and would serialize each result twice.

use rmcp::model::{CallToolResult, ContentBlock, ErrorData, RequestId, ServerResult};
use serde::Serialize;

const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";

/// The response with a result, in parts.
pub(super) fn with_result_parts(
    id: &RequestId,
    result: &ServerResult,
    write: impl FnOnce(&[&[u8]]),
) {
    let (json, text) = (to_json(result), structured_text(result));
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
    serde_json::to_vec(message).unwrap_or_else(|error| {
        tracing::error!(%error, "message not serialized");
        b"null".to_vec()
    })
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
