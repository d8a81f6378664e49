//! Resources that have an object of the API as their contents, each by the tool that gets it.

use serde_json::{Map, Value, json};

use super::known_values::ValueSource;

/// Resources whose URIs differ in an id.
#[derive(Clone, Copy)]
pub struct ResourceTemplate {
    /// URI with one parameter, e.g. `polytomic://models/{model_id}`.
    pub uri: &'static str,
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// Display name.
    pub title: &'static str,
    /// What the resources are.
    pub description: &'static str,
    /// The tool whose result is the contents. The parameter is its argument.
    pub tool: &'static str,
    /// Where the ids come from.
    pub source: &'static ValueSource,
}

impl ResourceTemplate {
    /// The name of the parameter.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        self.parts().1
    }

    /// The arguments of the tool for a URI; none if the URI is no such resource.
    pub(super) fn arguments(&self, uri: &str) -> Option<Map<String, Value>> {
        let (before, parameter, after) = self.parts();
        let id = uri.strip_prefix(before)?.strip_suffix(after)?;
        if id.is_empty() || id.contains('/') {
            return None;
        }
        Some(Map::from_iter([(parameter.to_owned(), json!(id))]))
    }

    /// What is before the parameter, its name, and what is after it.
    fn parts(&self) -> (&'static str, &'static str, &'static str) {
        let split = self.uri.split_once('{').and_then(|(before, rest)| {
            rest.split_once('}').map(|(parameter, after)| (before, parameter, after))
        });
        split.unwrap_or((self.uri, "", ""))
    }
}
