//! The tools that a registry serves, and each of them as it is listed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::entry::Entry;
use super::shared_arguments::DEFAULT_WAIT;

/// The tools that a registry serves.
#[derive(Clone, Copy)]
pub struct Catalog {
    /// Toolsets, in the order in which their tools are listed.
    pub toolsets: &'static [&'static [Entry]],
    /// How to use the tools together, for MCP clients that show it to the agent; at most 2,000 characters.
    pub instructions: &'static str,
}

impl Catalog {
    /// All tools, in their stable order.
    pub fn entries(self) -> impl Iterator<Item = &'static Entry> {
        self.toolsets.iter().copied().flatten()
    }
}

/// One tool as it is listed.
pub struct Tool {
    /// Its name, description and effect.
    pub entry: &'static Entry,
    /// Schema of the arguments as clients see it.
    pub input_schema: Arc<Map<String, Value>>,
    /// The complete schema, by which arguments are validated.
    pub(crate) checked_schema: Map<String, Value>,
    /// Schema of the result.
    pub output_schema: Arc<Map<String, Value>>,
    /// How long it waits for a job by default.
    pub(super) default_wait: Duration,
    pub(super) has_name_filter: bool,
}

impl Tool {
    pub(super) fn new(entry: &'static Entry) -> Self {
        let checked_schema = entry.input_schema();
        let property = |name: &str| checked_schema.get("properties")?.get(name);
        let wait = property("wait_seconds").and_then(|property| property.get("default")?.as_u64());
        Self {
            entry,
            default_wait: wait.map_or(DEFAULT_WAIT, Duration::from_secs),
            has_name_filter: property("name_contains").is_some(),
            output_schema: Arc::new(entry.output_schema()),
            input_schema: Arc::new(entry.advertised(checked_schema.clone())),
            checked_schema,
        }
    }
}
