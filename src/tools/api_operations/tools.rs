//! Which tool calls an operation: one of its own, or the one for its kind.

use crate::contract::{Kind, Operation};

/// The operations that have a tool of another name.
const RENAMED: [(&str, &str); 5] = [
    ("sample_model", "sample_records"),
    ("get_model_sync_source", "get_model_source"),
    ("get_model_sync_source_fields", "get_model_source_fields"),
    ("get_enrichment_input_fields", "get_enrichment_fields"),
    ("list_target_objects", "get_target_objects"),
];
/// The operations that have a tool of the same name. `test_connection` is none of them: the tool tests a stored connection, the
/// operation a configuration with its secrets.
const SAME_NAME: [&str; 23] = [
    "list_models",
    "get_model",
    "create_model",
    "update_model",
    "delete_model",
    "preview_model",
    "get_job",
    "list_connections",
    "get_connection",
    "list_connection_types",
    "get_connection_type_schema",
    "list_model_syncs",
    "get_model_sync",
    "create_model_sync",
    "update_model_sync",
    "delete_model_sync",
    "start_model_sync",
    "cancel_model_sync",
    "list_model_sync_executions",
    "get_model_sync_execution",
    "get_identity",
    "get_enrichment_source",
    "get_target_fields",
];

/// The tool that calls an operation. A typed one checks more, and refuses what would do harm.
pub(in crate::tools) fn tool_for(operation: &Operation) -> &'static str {
    typed_tool(&operation.name).unwrap_or(tool_of_kind(operation.kind))
}

/// The tool of an operation's own.
pub(super) fn typed_tool(operation: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(name, _)| *name == operation).map(|(_, tool)| *tool);
    renamed.or_else(|| SAME_NAME.into_iter().find(|name| *name == operation))
}

/// The tool for the operations of a kind.
pub(super) fn tool_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "call_read_operation",
        Kind::Write => "call_write_operation",
        Kind::Delete => "call_delete_operation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::tools::TOOLS;

    #[test]
    fn every_operation_with_a_tool_of_its_own_is_left_to_it() {
        let contract = Contract::embedded();
        let tools: Vec<&str> = TOOLS.entries().map(|entry| entry.name).collect();
        for (operation, tool) in
            RENAMED.into_iter().chain(SAME_NAME.into_iter().map(|name| (name, name)))
        {
            assert!(contract.operation(operation).is_some(), "{operation}");
            assert!(tools.contains(&tool), "{tool}");
        }
        for tool in tools {
            let is_operation = contract.operation(tool).is_some();
            let is_left = typed_tool(tool) == Some(tool);
            assert_eq!(is_operation && tool != "test_connection", is_left, "{tool}");
        }
    }
}
