//! How responses are written: rmcp does not know the ids as they were sent, and would serialize each result twice.

use memchr::{memchr2, memmem};
use rmcp::model::{CallToolResult, ContentBlock, ErrorData, RequestId, ServerResult};
use serde::Serialize;

const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
/// How a text that has been taken out of a result is written. No string has this inside, since its marks would be escaped.
const EMPTY_TEXT: &[u8] = b"\"text\":\"\"";

/// The response with a result, in parts.
pub(super) fn with_result_parts(
    id: &RequestId,
    mut result: ServerResult,
    write: impl FnOnce(&[&[u8]]),
) {
    let text = take_structured_text(&mut result);
    let json = to_json(&result);
    let around_text = text.as_ref().and_then(|_| {
        let at = memmem::find(&json, EMPTY_TEXT)? + EMPTY_TEXT.len() - 1;
        let (start, rest) = json.split_at_checked(at)?;
        Some((start, rest.strip_suffix(b"}")?))
    });
    let (id, key): (_, &[u8]) = (id_bytes(id), b",\"result\":");
    match (text, around_text) {
        (Some(text), Some((start, rest))) => {
            let (escaped, text) = (escaped(&text), text.as_bytes());
            let structured = b",\"structuredContent\":";
            write(&[HEAD, id, key, start, &escaped, rest, structured, text, b"}}"]);
        }
        _ => write(&[HEAD, id, key, &json, b"}"]),
    }
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

/// Takes the text of a successful call out of its result. The handler returns it as one text block of compact JSON; the same
/// bytes are written once more as `structuredContent`, so that nothing is serialized twice.
fn take_structured_text(result: &mut ServerResult) -> Option<String> {
    let ServerResult::CallToolResult(CallToolResult {
        content,
        structured_content: None,
        is_error: None | Some(false),
        ..
    }) = result
    else {
        return None;
    };
    match content.as_mut_slice() {
        [ContentBlock::Text(text)] => Some(std::mem::take(&mut text.text)),
        _ => None,
    }
}

/// JSON text as what is between the quotation marks of a JSON string. serde_json takes twice the time, since it looks at each
/// byte; in JSON text only two have to be escaped, unless there is white space between its tokens.
fn escaped(json: &str) -> Vec<u8> {
    let bytes = json.as_bytes();
    if bytes.iter().fold(false, |any, byte| any | (*byte < b' ')) {
        let mut string = to_json(&json);
        string.pop();
        return string.split_off(1);
    }
    // Every property has two quotation marks, and most texts as well.
    let mut escaped = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    let mut rest = bytes;
    while let Some((before, from)) =
        memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at))
    {
        escaped.extend_from_slice(before);
        escaped.push(b'\\');
        let (special, after) = from.split_at_checked(1).unwrap_or_default();
        escaped.extend_from_slice(special);
        rest = after;
    }
    escaped.extend_from_slice(rest);
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmcp::model::MetaObject;
    use serde_json::{Value, json};

    use super::*;

    fn written(result: CallToolResult) -> Value {
        let mut response = Vec::new();
        let id = RequestId::String("7".into());
        with_result_parts(&id, result.into(), |parts| response = parts.concat());
        serde_json::from_slice(&response).unwrap()
    }

    #[test]
    fn a_result_is_written_as_text_and_as_structured_content() {
        for (text, meta) in [
            ("{}", json!({})),
            (r#"{"a":"b\"c\\d","\u0000":[1.50,"ü"]}"#, json!({})),
            ("{\n  \"a\": \"\"\n}", json!({"title": "\"text\":\"\""})),
        ] {
            let content = vec![ContentBlock::text(text)];
            let mut result = CallToolResult::success(content.clone());
            result.meta = meta.as_object().filter(|meta| !meta.is_empty()).cloned().map(MetaObject);
            let response = written(result);
            let result = &response["result"];
            assert_eq!(result["content"], json!(content), "{response}");
            let structured: Value = serde_json::from_str(text).unwrap();
            assert_eq!(result["structuredContent"], structured, "{response}");
            assert_eq!((&response["id"], &result["isError"]), (&json!(7), &json!(false)));
        }
        let response = written(CallToolResult::error(vec![ContentBlock::text("{\"a\":1}")]));
        let result = &response["result"];
        assert_eq!(result["content"][0]["text"], "{\"a\":1}");
        assert_eq!((result.get("structuredContent"), &result["isError"]), (None, &json!(true)));
    }

    proptest! {
        #[test]
        fn text_is_escaped_as_serde_json_does(text in "\\PC*|[\"\\\\ a\n\t\u{0}-\u{1f}]*") {
            for json in [json!(text).to_string(), json!([json!(text).to_string(), text]).to_string(), text.clone()] {
                let string = json!(json).to_string();
                let inside = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                prop_assert_eq!(Some(&*String::from_utf8(escaped(&json)).unwrap()), inside);
            }
        }
    }
}
