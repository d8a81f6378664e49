//! The argument `name_contains`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text in the name, ignoring case, e.g. `user`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(in crate::tools) struct NameFilter(#[schemars(length(min = 1, max = 255))] String);

impl NameFilter {
    /// Whether a name contains the text of a filter. Without a filter every name matches.
    pub(in crate::tools) fn matches(filter: Option<&Self>, name: Option<&str>) -> bool {
        filter.is_none_or(|Self(text)| {
            name.is_some_and(|name| name.to_lowercase().contains(&text.to_lowercase()))
        })
    }
}
