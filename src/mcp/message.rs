//! One line as a message of the protocol, or what is answered in its place.
//!
//! Requests are built by their method. rmcp's own reading tries 22 types in turn and calls a bad
//! `tools/call` an unknown method; here a known method with bad params is -32602 that says what is wrong.

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

use crate::stdio::{Envelope, LenientEnvelope};

/// Why a line is no message for the service.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing is answered: it is a notification or itself an answer, and two peers that answer each
    /// other's garbage would storm. The text is for the log.
    Silent(&'static str),
    /// An error is answered, with the id when it could be read.
    Answer(Option<RequestId>, ErrorCode, String),
}

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Result<RxJsonRpcMessage<RoleServer>, Refusal> {
    let text = std::str::from_utf8(line)
        .map_err(|error| unparsed(format!("The line is not UTF-8: {error}.")))?;
    let envelope = Envelope::read(text).map_err(|_| no_envelope(text))?;
    let Some(method) = &envelope.method else {
        return answer(&envelope);
    };
    let id = envelope.id.map(|raw| serde_json::from_str::<RequestId>(raw.get()).ok());
    if !envelope.is_version_2() {
        return Err(invalid(id.flatten(), "\"jsonrpc\" must be \"2.0\"."));
    }
    let params = envelope.params.filter(|raw| raw.get() != "null");
    match id {
        None => notification(method, params),
        Some(None) => Err(invalid(None, "An id is a string or an integer.")),
        Some(Some(id)) => match request(method, params) {
            Ok(request) => Ok(JsonRpcMessage::request(request, id)),
            Err(why) => Err(Refusal::Answer(
                Some(id),
                ErrorCode::INVALID_PARAMS,
                format!("The params of {} cannot be read: {}.", cut(method), cut(&why)),
            )),
        },
    }
}

fn unparsed(message: String) -> Refusal {
    Refusal::Answer(None, ErrorCode::PARSE_ERROR, message)
}

fn invalid(id: Option<RequestId>, message: &str) -> Refusal {
    Refusal::Answer(id, ErrorCode::INVALID_REQUEST, message.to_owned())
}

/// JSON that is no envelope, or no JSON at all.
fn no_envelope(text: &str) -> Refusal {
    match LenientEnvelope::read(text) {
        Err(error) => unparsed(format!("The line is not JSON: {error}.")),
        Ok(outline) if outline.is_answer() => Refusal::Silent("an answer that cannot be read"),
        Ok(outline) => {
            let id = outline.id.and_then(|raw| serde_json::from_str(raw.get()).ok());
            invalid(id, "Each line is one JSON-RPC 2.0 object with a string as method; no batches.")
        }
    }
}

/// An answer to a request of ours, or an object without a method.
fn answer(envelope: &Envelope<'_>) -> Result<RxJsonRpcMessage<RoleServer>, Refusal> {
    let id = envelope.id.and_then(|raw| serde_json::from_str::<RequestId>(raw.get()).ok());
    match (envelope.result, envelope.error, id) {
        (None, None, id) => Err(invalid(id, "There is no method.")),
        (Some(raw), None, Some(id)) => serde_json::from_str(raw.get())
            .map(|result| JsonRpcMessage::response(result, id))
            .map_err(|_| Refusal::Silent("a result that cannot be read")),
        (None, Some(raw), Some(id)) => serde_json::from_str(raw.get())
            .map(|error| JsonRpcMessage::error(error, Some(id)))
            .map_err(|_| Refusal::Silent("an error that cannot be read")),
        _ => Err(Refusal::Silent("an answer that fits no request")),
    }
}

fn notification(
    method: &str,
    raw: Option<&RawValue>,
) -> Result<RxJsonRpcMessage<RoleServer>, Refusal> {
    match method {
        "notifications/cancelled" => {
            let params: CancelledNotificationParam =
                params(raw).map_err(|_| Refusal::Silent("a cancellation that cannot be read"))?;
            let notification = CancelledNotification::new(params);
            Ok(JsonRpcMessage::notification(ClientNotification::CancelledNotification(
                notification,
            )))
        }
        "notifications/initialized" => Ok(JsonRpcMessage::notification(
            ClientNotification::InitializedNotification(Default::default()),
        )),
        _ => Err(Refusal::Silent("a notification that says nothing to this server")),
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
            let mut params: CallToolRequestParams = params(raw)?;
            let meta = params.meta.take();
            (CallToolRequest::new(params).into(), meta)
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
            // Of a method that there is not, the params do not matter.
            let OnlyMeta { meta } = match params(raw) {
                Err(_) if !known => OnlyMeta { meta: None },
                read => read?,
            };
            let version = meta.as_ref().and_then(RequestMetaObject::protocol_version);
            // The era without initialize has no ping; rmcp would refuse it with the bare name.
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
        // rmcp would repeat it whole.
        if meta.protocol_version().is_some_and(|version| version.as_str().len() > 40) {
            return Err("_meta names a protocol version of more than 40 characters".to_owned());
        }
        *request.get_meta_mut() = meta;
    }
    Ok(request)
}

/// Echoed text of a peer's is cut.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn params<T: DeserializeOwned>(raw: Option<&RawValue>) -> Result<T, String> {
    if raw.is_some_and(|raw| !raw.get().starts_with('{')) {
        return Err("expected an object".to_owned());
    }
    serde_json::from_str(raw.map_or("{}", RawValue::get)).map_err(|error| {
        // Without the position: it counts from the beginning of the params, not of the line.
        let text = error.to_string();
        text.split_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
    })
}
