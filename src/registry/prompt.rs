//! Prompts: texts that a person chooses, and that name the tools which lead an agent to what they want.

use serde_json::{Map, Value};

use super::fitted_text::{Hidden, fit_document};
use super::known_values::ValueSource;
use super::problems;

/// A prompt.
#[derive(Clone, Copy)]
pub struct Prompt {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// Display name.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it is filled in with.
    pub arguments: &'static [PromptArgument],
    /// The tool without which it is of no use.
    pub requires: &'static str,
    /// Paragraphs with `{name}` for an argument. One that names an argument without a value is left out.
    pub text: &'static str,
}

/// An argument of a prompt.
#[derive(Clone, Copy)]
pub struct PromptArgument {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Whether the prompt is of no use without it.
    pub is_required: bool,
    /// Where its values come from, if they are known.
    pub source: Option<&'static ValueSource>,
}

impl Prompt {
    /// The text for some arguments, without what names hidden tools.
    ///
    /// # Errors
    /// A sentence about the argument that is missing, unknown or no text.
    pub(super) fn text(
        &self,
        arguments: &Map<String, Value>,
        hidden: &Hidden,
    ) -> Result<String, String> {
        let names = || self.arguments.iter().map(|argument| argument.name);
        if let Some(unknown) = arguments.keys().find(|name| !names().any(|known| known == *name)) {
            let known: Vec<&str> = names().collect();
            let unknown = problems::shorten(unknown);
            return Err(match problems::nearest(&unknown, names()) {
                Some(nearest) => format!("Unknown argument {unknown:?}; did you mean {nearest:?}?"),
                None => format!("Unknown argument {unknown:?}; expected {}.", known.join(", ")),
            });
        }
        let mut values = Vec::new();
        for PromptArgument { name, description, is_required, .. } in self.arguments {
            let value = match arguments.get(*name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.trim().to_owned(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                Some(_) => return Err(format!("{name}: expected a string.")),
            };
            if value.is_empty() && *is_required {
                return Err(format!("Argument {name:?} is missing: {description}"));
            }
            values.push((*name, value));
        }
        let text = fit_document(self.text, hidden);
        let paragraphs = text.split("\n\n").filter_map(|paragraph| filled(paragraph, &values));
        Ok(paragraphs.collect::<Vec<_>>().join("\n\n"))
    }
}

/// A paragraph with its arguments; none if one of them has no value.
fn filled(paragraph: &str, values: &[(&str, String)]) -> Option<String> {
    let mut parts = paragraph.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        let (_, value) =
            values.iter().find(|(known, value)| *known == name && !value.is_empty())?;
        text.extend([value.as_str(), rest]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROMPT: Prompt = Prompt {
        name: "a",
        title: "",
        description: "",
        arguments: &[
            PromptArgument {
                name: "what",
                description: "The thing.",
                is_required: true,
                source: None,
            },
            PromptArgument { name: "where", description: "", is_required: false, source: None },
        ],
        requires: "get_model",
        text: "Do {what}.\n\nLook at {where}, and {what}.\n\nCall get_model. Call get_job.",
    };

    #[test]
    fn a_text_is_filled_in_once_and_names_no_hidden_tool() {
        let hidden = Hidden::from(["get_job"]);
        for (arguments, expected) in [
            (json!({"what": "{where}"}), Ok("Do {where}.\n\nCall get_model.")),
            (
                json!({"what": 5, "where": " here "}),
                Ok("Do 5.\n\nLook at here, and 5.\n\nCall get_model."),
            ),
            (json!({"what": " "}), Err("Argument \"what\" is missing: The thing.")),
            (
                json!({"what": "x", "were": "y"}),
                Err("Unknown argument \"were\"; did you mean \"where\"?"),
            ),
            (json!({"what": []}), Err("what: expected a string.")),
        ] {
            let text = PROMPT.text(arguments.as_object().unwrap(), &hidden);
            assert_eq!(text.as_deref().map_err(String::as_str), expected, "{arguments}");
        }
    }
}
