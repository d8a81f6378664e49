//! The headers that repeat what a message says, for proxies that do not read messages.
//!
//! Source: MCP specification 2026-07-28, "Request Metadata" and "Server Validation"; 2025-11-25, "Protocol Version Header".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName};
use rmcp::model::{ClientRequest, ErrorData, GetMeta, ProtocolVersion};

use crate::registry::shorten;

pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The version of a request in the era with an initialize that names none.
const OLDEST_VERSION: ProtocolVersion = ProtocolVersion::V_2025_03_26;

/// The only value of a header; none if there is none.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("the header {name} is there twice"));
    }
    let value =
        value.to_str().map_err(|_| format!("the header {name} has characters beyond ASCII"))?;
    Ok(Some(value.trim()))
}

/// Checks the protocol version of a notification, which only its header can name.
///
/// # Errors
/// The error of a version that is not supported.
pub(super) fn check_version(
    headers: &HeaderMap,
    supported: &[ProtocolVersion],
) -> Result<(), ErrorData> {
    let version = single(headers, &PROTOCOL_VERSION).map_err(mismatch)?.map(parse_version);
    match version.filter(|version| !supported.contains(version)) {
        Some(version) => Err(ErrorData::unsupported_protocol_version(version, supported)),
        None => Ok(()),
    }
}

fn mismatch(reason: String) -> ErrorData {
    ErrorData::header_mismatch(format!("The headers do not fit the message: {reason}."), None)
}

/// The protocol version of a request, by its message and its headers; `supported` are those that this server knows.
///
/// # Errors
/// The error of a request whose headers contradict it or name no version that is supported.
pub(super) fn check(
    headers: &HeaderMap,
    request: &ClientRequest,
    supported: &[ProtocolVersion],
) -> Result<ProtocolVersion, ErrorData> {
    let of_header = single(headers, &PROTOCOL_VERSION).map_err(mismatch)?;
    if let ClientRequest::InitializeRequest(initialize) = request {
        // The version is what is negotiated here; a header says nothing yet.
        let method = single(headers, &METHOD).map_err(mismatch)?;
        if method.is_some_and(|method| method != "initialize") {
            return Err(mismatch(format!("{METHOD} is not \"initialize\"")));
        }
        return Ok(initialize.params.protocol_version.clone());
    }
    let version = of_header.map(parse_version);
    let of_message = request.get_meta().protocol_version();
    let is_modern = |version: &ProtocolVersion| !version.has_initialize();
    let version = match (version, of_message) {
        (Some(header), Some(message)) if header != message => {
            return Err(mismatch(format!(
                "{PROTOCOL_VERSION} is {:?}, and the message is of {:?}",
                header.as_str(),
                message.as_str()
            )));
        }
        (None, Some(message)) if is_modern(&message) => {
            return Err(mismatch(format!("{PROTOCOL_VERSION} is missing")));
        }
        (Some(version), _) | (None, Some(version)) => version,
        (None, None) => return Ok(OLDEST_VERSION),
    };
    if !supported.contains(&version) {
        return Err(ErrorData::unsupported_protocol_version(version, supported));
    }
    if is_modern(&version) {
        let method = request.method();
        match single(headers, &METHOD).map_err(mismatch)? {
            None => return Err(mismatch(format!("{METHOD} is missing"))),
            Some(header) if header != method => {
                return Err(mismatch(format!(
                    "{METHOD} is {:?}, and the method of the message {:?}",
                    shorten(header),
                    shorten(method)
                )));
            }
            Some(_) => {}
        }
        if let Some(name) = name_of(request) {
            let header = single(headers, &NAME).map_err(mismatch)?;
            let header = header.ok_or_else(|| mismatch(format!("{NAME} is missing")))?;
            let decoded = decode(header)
                .ok_or_else(|| mismatch(format!("{NAME} is not Base64 of a text in UTF-8")))?;
            if decoded != name {
                return Err(mismatch(format!(
                    "{NAME} is {:?}, and the message names {:?}",
                    shorten(&decoded),
                    shorten(name)
                )));
            }
        }
    }
    Ok(version)
}

/// A version as it is written, known or not.
fn parse_version(text: &str) -> ProtocolVersion {
    let text = shorten(text);
    serde_json::from_value(serde_json::Value::String(text)).unwrap_or(OLDEST_VERSION)
}

fn name_of(request: &ClientRequest) -> Option<&str> {
    match request {
        ClientRequest::CallToolRequest(request) => Some(&request.params.name),
        ClientRequest::GetPromptRequest(request) => Some(&request.params.name),
        ClientRequest::ReadResourceRequest(request) => Some(&request.params.uri),
        _ => None,
    }
}

/// A value that clients may have written as Base64.
fn decode(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}
