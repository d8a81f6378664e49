//! Completes the arguments of prompts and of templates of resources.

use std::sync::Arc;

use rmcp::model::{CompleteRequestParams, CompletionInfo, ErrorData, Reference};
use serde_json::{Map, Value};

use crate::registry::{CallSignals, Registry, ValueSource, shorten};

/// The values that fit what was typed.
///
/// # Errors
/// Invalid params for an unknown prompt, template or argument.
pub(super) async fn complete(
    registry: &Arc<Registry>,
    request: CompleteRequestParams,
    signals: CallSignals,
) -> Result<CompletionInfo, ErrorData> {
    let argument = request.argument;
    let source = source(registry, &request.r#ref, &argument.name)?;
    let Some(source) = source else { return Ok(CompletionInfo::default()) };
    let filled = request.context.and_then(|context| context.arguments).unwrap_or_default();
    let filled: Map<String, Value> =
        filled.into_iter().map(|(name, value)| (name, value.into())).collect();
    let completion = registry.complete(source, &argument.value, &filled, signals).await;
    let mut info = CompletionInfo::default();
    info.values = completion.values;
    info.has_more = Some(completion.has_more);
    Ok(info)
}

/// Where the values of an argument come from; none if nothing is known of them.
fn source(
    registry: &Registry,
    reference: &Reference,
    argument: &str,
) -> Result<Option<&'static ValueSource>, ErrorData> {
    let unknown = |what: &str, name: &str| {
        ErrorData::invalid_params(format!("Unknown {what} {:?}.", shorten(name)), None)
    };
    match reference {
        Reference::Prompt(prompt) => {
            let name = &prompt.name;
            let prompt = registry.prompts().find(|prompt| prompt.name == name);
            let prompt = prompt.ok_or_else(|| unknown("prompt", name))?;
            let argument = prompt
                .arguments
                .iter()
                .find(|known| known.name == argument)
                .ok_or_else(|| unknown("argument", argument))?;
            Ok(argument.source)
        }
        Reference::Resource(resource) => {
            let uri = &resource.uri;
            let template = registry.templates().find(|template| template.uri == uri);
            let template = template.ok_or_else(|| unknown("resource template", uri))?;
            match template.parameter() == argument {
                true => Ok(Some(template.source)),
                false => Err(unknown("argument", argument)),
            }
        }
        _ => Err(unknown("reference", "")),
    }
}
