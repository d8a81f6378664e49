//! Which operations return or take secrets. They are refused unless a setting allows them, since what an agent reads or
//! passes is in its conversation, and often in the logs of its provider.

use crate::contract::Operation;

/// Operations whose response is a secret, or a link that opens without one. It is not masked, since nothing would be left.
const RETURNING: [&str; 12] = [
    "create_connect_session",
    "create_harbor",
    "create_harbor_key",
    "create_record_view_link",
    "create_temporary_credential",
    "create_user_api_key",
    "export_bulk_sync_execution_logs",
    "get_bulk_sync_execution_logs",
    "get_model_sync_execution_log_file",
    "get_model_sync_execution_log_urls",
    "list_model_sync_execution_log_types",
    "register_harbor_session",
];
/// Operations that take secrets, or act with those that are stored.
const TAKING: [&str; 11] = [
    "create_connection",
    "create_organization",
    "create_webhook",
    "execute_connection_proxy",
    "get_connect_session",
    "get_connection_type_parameter_values",
    "test_connection",
    "update_connection",
    "update_connection_proxy_settings",
    "update_organization",
    "update_webhook",
];

/// Whether an operation returns or takes secrets.
pub(in crate::tools) fn uses_secrets(operation: &Operation) -> bool {
    returns_secrets(operation) || TAKING.contains(&operation.name.as_str())
}

/// Whether the response to an operation is a secret.
pub(super) fn returns_secrets(operation: &Operation) -> bool {
    RETURNING.contains(&operation.name.as_str())
}
