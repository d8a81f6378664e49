//! The prompts of the registry, as the protocol has them.

use rmcp::model::{
    ErrorData, GetPromptRequestParams, GetPromptResult, Prompt as ListedPrompt, PromptArgument,
    PromptMessage, Role,
};

use crate::registry::{Prompt, Registry};

/// A prompt as it is listed.
pub(super) fn describe(prompt: &Prompt) -> ListedPrompt {
    let arguments = prompt.arguments.iter().map(|argument| {
        PromptArgument::new(argument.name)
            .with_description(argument.description)
            .with_required(argument.is_required)
    });
    ListedPrompt::new(prompt.name, Some(prompt.description), Some(arguments.collect()))
        .with_title(prompt.title)
}

/// The text of a prompt, as what the user says.
///
/// # Errors
/// Invalid params.
pub(super) fn get(
    registry: &Registry,
    request: &GetPromptRequestParams,
) -> Result<GetPromptResult, ErrorData> {
    let arguments = request.arguments.clone().unwrap_or_default();
    let text = registry.prompt_text(&request.name, &arguments);
    let (prompt, text) = text.map_err(|reason| ErrorData::invalid_params(reason, None))?;
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(prompt.description))
}
