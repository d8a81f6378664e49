//! The resources: a guide to model configurations by connection type, and objects of the API by templates.
//!
//! Source: contract section 5; the text is docs/model-configurations.md.

use rmcp::model::{ErrorData, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::registry::{
    CallError, CallSignals, ErrorCode, Registry, ResourceTemplate as Template, SentArguments,
    ToolError, WhenBusy, shorten,
};

const URI: &str = "polytomic://guides/model-configurations";
const MEDIA_TYPE: &str = "text/markdown";
const JSON: &str = "application/json";
/// The longest URI that an error repeats completely, as `data.uri`.
const MAX_URI_BYTES: usize = 2_048;
const TEXT: &str = include_str!("../../docs/model-configurations.md");

/// The resource as it is listed.
pub(super) fn describe() -> Resource {
    Resource::new(URI, "model-configurations")
        .with_title("Model configurations by connection type")
        .with_description(
            "What the configuration of a model can contain, for each connection type.",
        )
        .with_mime_type(MEDIA_TYPE)
}

/// A template as it is listed.
pub(super) fn describe_template(template: &Template) -> ResourceTemplate {
    ResourceTemplate::new(template.uri, template.name)
        .with_title(template.title)
        .with_description(template.description)
        .with_mime_type(JSON)
}

/// The contents of the guide, about the tools that `registry` serves; none if the URI is another one.
pub(super) fn guide(registry: &Registry, uri: &str) -> Option<ResourceContents> {
    let text = || ResourceContents::text(registry.fit_document(TEXT), URI);
    (uri == URI).then(|| text().with_mime_type(MEDIA_TYPE))
}

/// The contents of a resource of a template: the result of its tool.
///
/// # Errors
/// Invalid params for an unknown URI, or an id that the API does not know; else an internal error. The error of the tool is in
/// `data`.
pub(super) async fn read(
    registry: &Registry,
    uri: &str,
    signals: CallSignals,
) -> Result<ResourceContents, ErrorData> {
    let (tool, arguments) = registry.resource_call(uri).ok_or_else(|| unknown(registry, uri))?;
    let arguments = to_raw_value(&arguments).map_err(|_| unknown(registry, uri))?;
    let arguments = SentArguments::new("arguments", Some(&arguments));
    match registry.call_as_sent(tool, &arguments, WhenBusy::Refuse, signals).await {
        Ok(result) => {
            let text = Box::<str>::from(result).into_string();
            Ok(ResourceContents::text(text, uri).with_mime_type(JSON))
        }
        Err(CallError::Params(reason)) => Err(ErrorData::invalid_params(reason, None)),
        Err(CallError::Failed(error)) => Err(request_error(&error)),
    }
}

/// The error of a tool as that of a request, with the whole of it in `data`.
pub(super) fn request_error(error: &ToolError) -> ErrorData {
    let message = format!("{} {}", error.message, error.hint);
    let data = serde_json::from_str(&error.to_json()).ok();
    match error.code {
        ErrorCode::InvalidArgument | ErrorCode::NotFound => {
            ErrorData::invalid_params(message, data)
        }
        _ => ErrorData::internal_error(message, data),
    }
}

fn unknown(registry: &Registry, uri: &str) -> ErrorData {
    let templates: Vec<&str> = registry.templates().map(|template| template.uri).collect();
    let known = [&[URI], &*templates].concat().join(", ");
    let message = format!("Unknown resource {:?}; expected {known}.", shorten(uri));
    let is_short = uri.len() <= MAX_URI_BYTES;
    ErrorData::invalid_params(message, is_short.then(|| json!({ "uri": uri })))
}
