//! The list of tools against the limits of the strictest clients.

use serde_json::{Value, json};

use super::Check;
use crate::cli::setup::{self, MAX_TOOL_NAME_CHARACTERS};
use crate::cli::startup::listing_only;
use crate::config::Config;
use crate::mcp;

pub(super) const NAME: &str = "tools";
/// Some versions of Cursor pass on no more tools, of all servers together.
const MAX_TOOLS: usize = 40;
/// Besides the longest name of a server that `setup` writes.
const MAX_NAME_CHARACTERS: usize = MAX_TOOL_NAME_CHARACTERS - setup::MAX_NAME_CHARACTERS;
/// No client is known to refuse it; far more than all tools have.
const MAX_BYTES: usize = 100_000;
/// Keywords that one client or another refuses in the arguments of a tool.
const REFUSED: [&str; 9] =
    ["$ref", "$defs", "$schema", "oneOf", "anyOf", "allOf", "not", "patternProperties", "const"];

/// Checks the list that a server with these settings returns.
pub(super) fn check(config: Config) -> Check {
    if config.invalid_setting().is_some() {
        return Check::skipped(NAME, "the settings are invalid");
    }
    let registry = match listing_only(config, false) {
        Ok(registry) => registry,
        // A name in the selection that no tool has.
        Err(error) => return Check::failed(NAME, error.message, error.hint.unwrap_or_default()),
    };
    let tools: Vec<Value> =
        registry.tools().iter().map(|tool| json!(mcp::describe_tool(tool))).collect();
    let bytes = json!(tools).to_string().len();
    let text = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    let long = tools.iter().map(text).find(|name| name.len() > MAX_NAME_CHARACTERS);
    let refused = tools.iter().find_map(|tool| Some((text(tool), keyword(&tool["inputSchema"])?)));
    match (tools.len(), bytes, long, refused) {
        (0, ..) => Check::failed(
            NAME,
            "the settings leave no tool",
            "Correct --access, --toolsets, --tools or --exclude-tools.",
        ),
        (count @ 0..=MAX_TOOLS, 0..=MAX_BYTES, None, None) => {
            let tools = if count == 1 { "tool" } else { "tools" };
            let access = registry.access();
            Check::ok(
                NAME,
                format!(
                    "{count} {tools}, {bytes} bytes, access {access}; within the known limits of clients"
                ),
            )
        }
        (count, bytes, None, None) => Check::failed(
            NAME,
            format!("{count} tools in {bytes} bytes exceed what some clients take"),
            "Select fewer with --toolsets or --tools.",
        ),
        (_, _, Some(name), _) => Check::failed(
            NAME,
            format!("{name} is too long for some clients"),
            format!("--exclude-tools {name}"),
        ),
        (_, _, _, Some((name, keyword))) => Check::failed(
            NAME,
            format!("{name} has the keyword {keyword}, which some clients refuse"),
            format!("--exclude-tools {name}"),
        ),
    }
}

/// The first refused keyword in a schema. Names of properties are not keywords.
fn keyword(schema: &Value) -> Option<&'static str> {
    let object = schema.as_object()?;
    let found = REFUSED.iter().copied().find(|keyword| object.contains_key(*keyword));
    let is_boolean = |value: &Value| value.is_boolean();
    let properties = object.get("properties").and_then(Value::as_object);
    found
        .or_else(|| {
            object
                .get("additionalProperties")
                .filter(|v| is_boolean(v))
                .map(|_| "additionalProperties")
        })
        .or_else(|| object.get("items").and_then(keyword))
        .or_else(|| {
            properties.into_iter().flat_map(|properties| properties.values()).find_map(keyword)
        })
}
