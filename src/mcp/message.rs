//! Parses a message of the protocol, or says how to reject it.
//!
//! Requests are built by their method. rmcp's own parser tries 22 types one after the other and calls an invalid
//! `tools/call` an unknown method; here a known method with invalid params is -32602 with the reason.

use std::borrow::Cow;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotification, CancelledNotificationParam,
    ClientNotification, ClientRequest, CustomRequest, DiscoverRequest, ErrorCode, GetMeta,
    InitializeRequest, InitializeRequestParams, JsonRpcMessage, ListResourceTemplatesRequest,
    ListResourcesRequest, ListToolsRequest, PingRequest, ReadResourceRequest,
    ReadResourceRequestParams, RequestId, RequestMetaObject,
};
use rmcp::service::RxJsonRpcMessage;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::registry::mark_numbers;
use crate::stdio::{Envelope, LenientEnvelope, id_text};

/// Maximum characters of a peer's text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 200;

/// How to reject a message that is not one for the service.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// No response is sent, since the line is a notification or a response: two peers that respond to each
    /// other's garbage would never stop. The text is for the log.
    Drop(&'static str),
    /// An error is sent, with the id if it could be read.
    Respond(Option<RequestId>, ErrorCode, String),
}

/// Parses one message. The id of a request is its text as a string, since rmcp has no ids but strings and 64-bit
/// integers; the transport writes the text back.
pub(crate) fn parse(bytes: &[u8]) -> Result<RxJsonRpcMessage<RoleServer>, Rejection> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| parse_error(format!("The message is not UTF-8: {error}.")))?;
    let envelope = Envelope::parse(text).map_err(|_| reject_malformed(text))?;
    let Some(method) = &envelope.method else {
        return response(&envelope);
    };
    let id = envelope.id.map(text_as_id);
    if !envelope.is_version_2() {
        return Err(invalid(id.flatten(), "\"jsonrpc\" must be \"2.0\"."));
    }
    let params = envelope.params.filter(|raw| raw.get() != "null");
    match id {
        None => notification(method, params),
        Some(None) => Err(invalid(None, "The id must be a string or a number.")),
        Some(Some(id)) => match request(method, params) {
            Ok(request) => Ok(JsonRpcMessage::request(request, id)),
            Err(reason) => Err(Rejection::Respond(
                Some(id),
                ErrorCode::INVALID_PARAMS,
                format!("Invalid params of {}: {}.", shorten(method), shorten(&reason)),
            )),
        },
    }
}

fn text_as_id(raw: &RawValue) -> Option<RequestId> {
    id_text(raw).map(|text| RequestId::String(text.into()))
}

fn parse_error(message: String) -> Rejection {
    Rejection::Respond(None, ErrorCode::PARSE_ERROR, message)
}

fn invalid(id: Option<RequestId>, message: &str) -> Rejection {
    Rejection::Respond(id, ErrorCode::INVALID_REQUEST, message.to_owned())
}

/// Rejects JSON that is not an envelope, or text that is not JSON.
fn reject_malformed(text: &str) -> Rejection {
    match LenientEnvelope::parse(text) {
        Err(error) => parse_error(format!("The message is not JSON: {error}.")),
        Ok(envelope) if envelope.is_response() => Rejection::Drop("a malformed response"),
        Ok(envelope) => invalid(
            envelope.id.and_then(text_as_id),
            "A message must be one JSON-RPC 2.0 object whose method is a string; batches are not supported.",
        ),
    }
}

/// A response to a request of ours, or an object without a method.
fn response(envelope: &Envelope<'_>) -> Result<RxJsonRpcMessage<RoleServer>, Rejection> {
    let id = envelope.id.and_then(|raw| serde_json::from_str::<RequestId>(raw.get()).ok());
    match (envelope.result, envelope.error, id) {
        (None, None, _) => Err(invalid(envelope.id.and_then(text_as_id), "The method is missing.")),
        (Some(raw), None, Some(id)) => serde_json::from_str(raw.get())
            .map(|result| JsonRpcMessage::response(result, id))
            .map_err(|_| Rejection::Drop("a malformed result")),
        (None, Some(raw), Some(id)) => serde_json::from_str(raw.get())
            .map(|error| JsonRpcMessage::error(error, Some(id)))
            .map_err(|_| Rejection::Drop("a malformed error")),
        _ => Err(Rejection::Drop("a response to no request")),
    }
}

/// The part of a cancellation that matters.
#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(borrow, rename = "requestId")]
    request_id: &'a RawValue,
}

fn notification(
    method: &str,
    raw: Option<&RawValue>,
) -> Result<RxJsonRpcMessage<RoleServer>, Rejection> {
    match method {
        "notifications/cancelled" => {
            let id = raw
                .and_then(|raw| serde_json::from_str(raw.get()).ok())
                .and_then(|Cancelled { request_id }| text_as_id(request_id))
                .ok_or(Rejection::Drop("a malformed cancellation"))?;
            let params = CancelledNotificationParam::new(Some(id), None);
            Ok(JsonRpcMessage::notification(ClientNotification::CancelledNotification(
                CancelledNotification::new(params),
            )))
        }
        "notifications/initialized" => Ok(JsonRpcMessage::notification(
            ClientNotification::InitializedNotification(Default::default()),
        )),
        _ => Err(Rejection::Drop("a notification that this server does not handle")),
    }
}

/// The part of every request's params that says who asks, and in which version.
#[derive(Deserialize)]
struct OnlyMeta {
    #[serde(rename = "_meta", default)]
    meta: Option<RequestMetaObject>,
}

fn request(method: &str, raw: Option<&RawValue>) -> Result<ClientRequest, String> {
    let (mut request, meta): (ClientRequest, _) = match method {
        "tools/call" => {
            let (mut params, unreadable) = call_params(raw)?;
            let meta = params.meta.take();
            let mut request = CallToolRequest::new(params);
            if let Some(unreadable) = unreadable {
                request.extensions.insert(unreadable);
            }
            (request.into(), meta)
        }
        "initialize" => {
            let mut params: InitializeRequestParams = params(raw)?;
            let meta = params.meta.take();
            (InitializeRequest::new(params).into(), meta)
        }
        "resources/read" => {
            let mut params: ReadResourceRequestParams = params(raw)?;
            let meta = params.meta.take();
            (ReadResourceRequest::new(params).into(), meta)
        }
        _ => {
            let known = [
                "ping",
                "server/discover",
                "tools/list",
                "resources/list",
                "resources/templates/list",
            ]
            .contains(&method);
            // The params of an unknown method do not matter.
            let OnlyMeta { meta } = match params(raw) {
                Err(_) if !known => OnlyMeta { meta: None },
                meta => meta?,
            };
            let version = meta.as_ref().and_then(RequestMetaObject::protocol_version);
            // The stateless era has no ping; rmcp would reject it with the bare name.
            let has_ping = version.is_none_or(|version| version.has_initialize());
            let request = match method {
                "ping" if has_ping => PingRequest::default().into(),
                "server/discover" => DiscoverRequest::new(Default::default()).into(),
                "tools/list" => ListToolsRequest {
                    method: Default::default(),
                    params: Some(params(raw)?),
                    extensions: Default::default(),
                }
                .into(),
                "resources/list" => ListResourcesRequest {
                    method: Default::default(),
                    params: Some(params(raw)?),
                    extensions: Default::default(),
                }
                .into(),
                "resources/templates/list" => ListResourceTemplatesRequest {
                    method: Default::default(),
                    params: Some(params(raw)?),
                    extensions: Default::default(),
                }
                .into(),
                _ => CustomRequest::new(method, None).into(),
            };
            (request, meta)
        }
    };
    if let Some(meta) = meta {
        // rmcp would quote it completely.
        if meta.protocol_version().is_some_and(|version| version.as_str().len() > 40) {
            return Err("_meta names a protocol version of more than 40 characters".to_owned());
        }
        *request.get_meta_mut() = meta;
    }
    Ok(request)
}

/// Why the arguments of a call, given as text, are not an object. Carried in the extensions of the request, since
/// the caller should see it as the error of the call.
#[derive(Debug, Clone)]
pub(super) struct UnreadableArguments(pub(super) String);

/// The params of a call, with the numbers in its arguments marked. Some clients pass the arguments as JSON text, empty
/// if there are none.
fn call_params(
    raw: Option<&RawValue>,
) -> Result<(CallToolRequestParams, Option<UnreadableArguments>), String> {
    let marked = mark_numbers(raw.map_or("{}", RawValue::get));
    let reason = match parse_params::<CallToolRequestParams>(&marked) {
        Ok(mut call) => {
            if matches!(marked, Cow::Owned(_)) {
                // Its numbers are not marked: a progress token is sent back by rmcp.
                call.meta = params::<OnlyMeta>(raw)?.meta;
            }
            return Ok((call, None));
        }
        Err(reason) => reason,
    };
    let mut members: Map<String, Value> = params(raw)?;
    let Some(Value::String(text)) = members.remove("arguments") else { return Err(reason) };
    let (arguments, unreadable) = match serde_json::from_str(&mark_numbers(&text)) {
        _ if text.trim().is_empty() => (None, None),
        Ok(Value::Null) => (None, None),
        Ok(Value::Object(arguments)) => (Some(arguments), None),
        Ok(_) => (None, Some("the text is JSON of another type".to_owned())),
        Err(error) => (None, Some(format!("the text is not JSON: {error}"))),
    };
    let mut params: CallToolRequestParams =
        serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
    params.arguments = arguments;
    Ok((params, unreadable.map(UnreadableArguments)))
}

/// Shortens text of a peer before it is quoted.
fn shorten(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARACTERS).collect()
}

fn params<T: DeserializeOwned>(raw: Option<&RawValue>) -> Result<T, String> {
    parse_params(raw.map_or("{}", RawValue::get))
}

fn parse_params<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    if !text.starts_with('{') {
        return Err("expected an object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| {
        // Without the position, which counts from the beginning of the params instead of the message.
        let text = error.to_string();
        text.split_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
    })
}
