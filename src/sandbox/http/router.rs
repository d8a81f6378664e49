//! Which handler serves which operation of the contract.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Extension};
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;

use crate::sandbox::contract::{self, Operation};
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::{idempotency, receive};
use crate::sandbox::state::AppState;
use crate::sandbox::testing::control;
use crate::sandbox::{accounts, bulk, connections, executions, jobs, models, syncs};

type Handler = MethodRouter<Arc<AppState>>;

/// The implemented operations, by their ids in the contract.
fn handlers() -> Vec<(&'static str, Handler)> {
    vec![
        ("get_identity", get(accounts::identity)),
        ("list_connection_types", get(connections::handlers::list_types)),
        ("get_connection_type_schema", get(connections::handlers::type_schema)),
        ("list_connections", get(connections::handlers::list)),
        ("create_connection", post(connections::handlers::create)),
        ("update_connection", put(connections::handlers::update)),
        ("delete_connection", delete(connections::handlers::delete)),
        ("test_connection", post(connections::handlers::test)),
        ("get_connection", get(connections::handlers::get)),
        ("get_model_sync_source", get(connections::discovery::source)),
        ("get_model_sync_source_fields", get(connections::discovery::source_fields)),
        ("get_enrichment_source", get(connections::discovery::enrichment_source)),
        ("get_enrichment_input_fields", post(connections::discovery::enrichment_input_fields)),
        ("get_connection_type_parameter_values", post(connections::parameter_values::of_type)),
        ("get_connection_parameter_values", get(connections::parameter_values::of_connection)),
        ("get_connection_usage", get(connections::parameter_values::usage)),
        ("create_connect_session", post(connections::session::create)),
        ("get_connect_session", get(connections::session::get)),
        ("get_schemas_status", get(connections::schemas::status)),
        ("refresh_schemas", post(connections::schemas::refresh)),
        ("get_schema", get(connections::schemas::get)),
        ("get_schema_records", get(connections::schemas::records)),
        ("create_model", post(models::handlers::create)),
        ("list_models", get(models::handlers::list)),
        ("get_model", get(models::handlers::get)),
        ("update_model", put(models::handlers::update)),
        ("delete_model", delete(models::handlers::delete)),
        ("sample_model", get(models::handlers::sample)),
        ("preview_model", post(models::handlers::preview)),
        ("create_model_sync", post(syncs::handlers::create)),
        ("list_model_syncs", get(syncs::handlers::list)),
        ("get_model_sync", get(syncs::handlers::get)),
        ("update_model_sync", put(syncs::handlers::update)),
        ("delete_model_sync", delete(syncs::handlers::delete)),
        ("activate_model_sync", post(syncs::handlers::activate)),
        ("get_model_sync_error_handling", get(syncs::settings::error_handling)),
        ("update_model_sync_error_handling", put(syncs::settings::update_error_handling)),
        ("list_schedule_options", get(syncs::settings::schedule_options)),
        ("get_model_sync_status", get(executions::handlers::status)),
        ("start_model_sync", post(executions::handlers::start)),
        ("cancel_model_sync", post(executions::handlers::cancel_sync)),
        ("list_model_sync_executions", get(executions::handlers::list)),
        ("get_model_sync_execution", get(executions::handlers::get)),
        ("cancel_model_sync_execution", post(executions::handlers::cancel)),
        ("get_model_sync_execution_console_logs", get(executions::handlers::console_logs)),
        ("list_target_objects", get(connections::target::objects)),
        ("get_target_fields", get(connections::target::fields)),
        ("get_target_create_property_values", get(connections::target::create_property)),
        ("list_bulk_syncs", get(bulk::handlers::list)),
        ("get_bulk_sync", get(bulk::handlers::get)),
        ("list_bulk_sync_schemas", get(bulk::handlers::schemas)),
        ("get_bulk_sync_schema", get(bulk::handlers::schema)),
        ("list_bulk_sync_schedules", get(bulk::handlers::schedules)),
        ("get_bulk_sync_schedule", get(bulk::handlers::schedule)),
        ("get_bulk_sync_error_handling", get(bulk::handlers::error_handling)),
        ("get_bulk_sync_status", get(bulk::executions::status)),
        ("list_bulk_sync_statuses", get(bulk::executions::statuses)),
        ("list_bulk_sync_executions", get(bulk::executions::list)),
        ("get_bulk_sync_execution", get(bulk::executions::get)),
        ("get_bulk_sync_source", get(bulk::discovery::source)),
        ("get_bulk_sync_destination", get(bulk::discovery::destination)),
        ("get_job", get(jobs::run::get)),
    ]
}

pub(in crate::sandbox) fn router(app: &Arc<AppState>) -> Router {
    let mut router = Router::new();
    for (id, handler) in handlers() {
        let Some(operation) = contract::operation(id) else {
            tracing::error!(operation = id, "not an operation of the contract");
            continue;
        };
        let handler = match operation.method {
            Method::POST => handler
                .layer(middleware::from_fn_with_state(Arc::clone(app), idempotency::once_per_key)),
            _ => handler,
        };
        router = router.route(&positional(operation.path), handler);
    }
    let api = router
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        // `JsonObject` limits bodies instead: it reads one that is too large to its end, because the
        // client would otherwise see a broken connection in place of the error.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(ApiError::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(app), receive::receive))
        // Not of the API: these need no key.
        .merge(connections::pages::routes())
        .with_state(Arc::clone(app));
    control::router(app).fallback_service(api)
}

/// The path with its parameters named by their position: the contract names the same parameter differently from operation to
/// operation, which the router would take for different routes in conflict.
fn positional(path: &str) -> String {
    let segments = path.split('/').enumerate().map(|(index, segment)| {
        if segment.starts_with('{') { format!("{{p{index}}}") } else { segment.to_owned() }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// `receive` lets only operations of the contract pass.
async fn not_implemented(Extension(operation): Extension<&'static Operation>) -> ApiError {
    ApiError::not_implemented(operation.id)
}
