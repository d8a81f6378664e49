//! Handlers that report what syncs can write to in a connection: the tables of a SQLite database, their columns, and new tables.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connection::Connection;
use crate::sandbox::connections::handlers::find;
use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::http::extract::{PathParameters, missing, parse_flag};
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::sources::{INSPECTED_ROWS, ReadLimit, Selection, Source};
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::{Tx, format_time};

/// The modes: id, label, description, and whether they need an identity.
const MODES: [(&str, &str, &str, bool); 7] = [
    ("create", "Create", "Insert the records that the table does not have.", false),
    ("update", "Update", "Update the records that the table has.", true),
    (
        "updateOrCreate",
        "Update or create",
        "Update the records that the table has; insert the others.",
        true,
    ),
    ("replace", "Replace", "Delete all rows, then insert every record.", false),
    ("append", "Append", "Insert every record.", false),
    ("remove", "Remove", "Delete the rows of the records.", true),
    ("snapshot", "Snapshot", "Replace the table with a new one that has every record.", false),
];

/// The only property of a new table.
const NAME: &str = "name";

/// The connection with this id as a target, and the source that reads what was written to it.
async fn find_target(
    app: &Arc<AppState>,
    caller: Caller,
    id: &str,
) -> Result<(Connection, Source), ApiError> {
    let connection = find(app, caller, id).await?;
    app.sources.writable(&connection)?;
    let source = app.sources.open(&connection)?;
    Ok((connection, source))
}

fn limit() -> ReadLimit {
    ReadLimit::without_job(SYNCHRONOUS_TIMEOUT)
}

fn name_property() -> Value {
    json!({ "id": NAME, "title": "Table name", "enum": false, "values": [] })
}

/// `GET /api/connections/{id}/modelsync/targetobjects`
pub(in crate::sandbox) async fn objects(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let with_values = parse_flag(&query.unwrap_or_default(), "include_target_creation_values")?;
    let with_values = with_values.unwrap_or_default();
    let (_, source) = find_target(&app, caller, &id).await?;
    let catalog = source.catalog(&limit()).await?;
    let modes: Vec<Value> = MODES
        .iter()
        .map(|(id, _, _, requires_identity)| {
            json!({
                "id": id,
                "requires_identity": requires_identity,
                "supports_per_field_mode": *id == "updateOrCreate",
                "supports_target_filters": false,
            })
        })
        .collect();
    let tables = catalog.relations().iter().filter(|relation| !relation.is_view);
    let objects: Vec<Value> = tables
        .map(|table| json!({ "id": table.qualified_name(), "name": table.name, "modes": modes }))
        .collect();
    let properties = if with_values { json!([name_property()]) } else { Value::Null };
    Ok(Json(json!({
        "data": objects,
        "target_creation": { "supported": true, "properties": properties },
    })))
}

/// `GET /api/connections/{id}/modelsync/target/fields`
pub(in crate::sandbox) async fn fields(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let query = query.unwrap_or_default();
    let target = form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "target" && !value.trim().is_empty())
        .map(|(_, value)| value.into_owned());
    let target = target.ok_or_else(|| missing("target", "the id of a target object"))?;
    let (_, source) = find_target(&app, caller, &id).await?;
    let catalog = source.catalog(&limit()).await?;
    let table = catalog.relations().iter().find(|relation| {
        !relation.is_view && (relation.qualified_name() == target || relation.name == target)
    });
    let table = table.ok_or_else(|| ApiError::unknown("target object", &target))?;
    let selection = Selection::Table(table.qualified_name());
    let columns = source.read(selection, INSPECTED_ROWS, &limit()).await?.columns;
    let fields: Vec<Value> = columns
        .iter()
        .map(|column| {
            json!({
                "association": false,
                "createable": true,
                "description": null,
                "encryptable": false,
                "filter_functions": [],
                "filterable": false,
                "id": column.name,
                "identity_functions": [{ "id": "Equality", "label": "Equals" }],
                "multiple_associations": false,
                "name": column.name,
                "required": false,
                "source_type": column.remote_type,
                "supports_identity": true,
                "type": column.field_type,
                "updateable": true,
                "values": null,
            })
        })
        .collect();
    let modes: Vec<Value> = MODES
        .iter()
        .map(|(mode, label, description, requires_identity)| {
            json!({
                "description": description,
                "label": label,
                "mode": mode,
                "requires_identity": requires_identity,
                "supports_field_sync_mode": *mode == "updateOrCreate",
                "supports_target_filters": false,
            })
        })
        .collect();
    let refreshed_at = app.store.read(|tx: &Tx<'_>| Ok(format_time(tx.now()))).await?;
    Ok(Json(json!({ "data": {
        "fields": fields,
        "id": table.qualified_name(),
        "modes": modes,
        "name": table.name,
        "properties": {
            "does_not_report_operation_counts": false,
            "mappings_not_required": false,
            "new_target_label": "Table",
            "optional_target_mappings": false,
            "primary_metadata_object": null,
            "requires_configuration": false,
            "supports_field_creation": true,
            "supports_field_encryption": false,
            "supports_field_type_selection": false,
            "supports_filter_value_fields": false,
            "supports_identity_field_creation": true,
            "supports_multiple_identities": true,
            "supports_target_filters": false,
            "target_creator": true,
            "use_field_names_as_labels": true,
        },
        "refreshed_at": refreshed_at,
    } })))
}

/// `GET /api/connections/{id}/modelsync/targetobjects/properties/{property}`
pub(in crate::sandbox) async fn create_property(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, property)): PathParameters<(String, String)>,
) -> HandlerResult {
    find_target(&app, caller, &id).await?;
    if property != NAME {
        return Err(ApiError::not_found(format!(
            "A new table has no property {}; its only one is {NAME}.",
            shorten(&property)
        )));
    }
    Ok(Json(json!({ "data": name_property() })))
}
