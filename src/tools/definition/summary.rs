//! A model in a few words: to choose one, or to begin a description.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use smol_str::SmolStr;

use crate::polytomic::Model;

/// Maximum characters of a query.
const MAX_QUERY_CHARACTERS: usize = 80;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct ModelSummary {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<SmolStr>,
    connection_id: Option<String>,
    source: Option<String>,
    identifier: Option<String>,
    field_count: Option<usize>,
    updated_at: Option<SmolStr>,
}

impl From<Model> for ModelSummary {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            kind: model.kind,
            connection_id: model.connection_id,
            source: model.configuration.as_ref().and_then(source),
            identifier: model.identifier,
            field_count: Some(model.fields.map_or(0, |fields| fields.len())),
            updated_at: model.updated_at,
        }
    }
}

/// What a model reads: its table or view, or the beginning of its query.
fn source(configuration: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| {
        let text = configuration.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    };
    if let Some(table) = text("table").or_else(|| text("view")).or_else(|| text("collection")) {
        let schema = text("schema").or_else(|| text("dataset")).or_else(|| text("database"));
        return Some(match schema.filter(|_| !table.contains('.')) {
            Some(schema) => format!("{schema}.{table}"),
            None => table.to_owned(),
        });
    }
    Some(text("query")?.chars().take(MAX_QUERY_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_the_table_or_view_or_the_beginning_of_the_query() {
        let query = "SELECT id, émail, name FROM users WHERE is_active AND plan = 'pro' ORDER BY id LIMIT 10000";
        let beginning =
            "SELECT id, émail, name FROM users WHERE is_active AND plan = 'pro' ORDER BY id L";
        for (configuration, expected) in [
            (json!({"table": "public.users"}), Some("public.users")),
            (json!({"table": null, "view": "public.active_users"}), Some("public.active_users")),
            (json!({"table": "", "query": "SELECT 1"}), Some("SELECT 1")),
            (json!({"query": query}), Some(beginning)),
            (json!({"schema": "PUBLIC", "table": "USERS"}), Some("PUBLIC.USERS")),
            (json!({"schema": "public", "table": "public.users"}), Some("public.users")),
            (json!({"database": "app", "collection": "users"}), Some("app.users")),
            (json!({"tableobj": {"id": 1}}), None),
            (json!({}), None),
        ] {
            let source = source(configuration.as_object().unwrap());
            assert_eq!(source.as_deref(), expected, "{configuration}");
        }
        assert_eq!(beginning.chars().count(), MAX_QUERY_CHARACTERS);
    }
}
