//! Handlers that report what a connection offers to bulk syncs, as their source and as their destination.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use crate::sandbox::accounts::Caller;
use crate::sandbox::bulk::handlers::limit;
use crate::sandbox::connections;
use crate::sandbox::connections::schemas::schema_field;
use crate::sandbox::http::extract::{PathParameters, parse_flag};
use crate::sandbox::sources::{INSPECTED_ROWS, Selection};
use crate::sandbox::state::{HandlerResult, SharedState};

/// `GET /api/connections/{id}/bulksync/source`
pub(in crate::sandbox) async fn source(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let with_fields = parse_flag(&query.unwrap_or_default(), "include_fields")?.unwrap_or(true);
    let connection = connections::find(&app, caller, &id).await?;
    let source = app.sources.open(&connection)?;
    let catalog = source.catalog(&limit()).await?;
    let mut schemas = Vec::new();
    for relation in catalog.relations().iter().filter(|relation| !relation.is_view) {
        let name = relation.qualified_name();
        let mut fields = Value::Null;
        if with_fields {
            let selection = Selection::Table(name.clone());
            let table = source.read(selection, INSPECTED_ROWS, &limit()).await?;
            fields = table.columns.iter().map(schema_field).collect();
        }
        schemas.push(json!({ "id": name, "name": name, "fields": fields }));
    }
    Ok(Json(json!({ "data": {
        "capabilities": { "supports_namespaces": true, "supports_tracking_fields": false },
        "configuration": {},
        "schemas": schemas,
    } })))
}

/// `GET /api/connections/{id}/bulksync/target`
pub(in crate::sandbox) async fn destination(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let connection = connections::find(&app, caller, &id).await?;
    app.sources.writable(&connection)?;
    let modes = [
        ("replicate", "Replicate", "Keep each table as the source has it."),
        ("snapshot", "Snapshot", "Copy every table each time."),
        ("append", "Append", "Add the records that are new."),
    ];
    let modes = modes.map(|(id, label, description)| {
        json!({
            "description": description,
            "id": id,
            "label": label,
            "requires_identity": false,
            "supports_field_sync_mode": false,
            "supports_target_filters": false,
        })
    });
    Ok(Json(json!({ "data": {
        "configuration": { "schema": "public" },
        "modes": modes,
        "supported_resync_modes": ["refetch", "resync", "rebuild"],
        "supports_history_mode": false,
    } })))
}
