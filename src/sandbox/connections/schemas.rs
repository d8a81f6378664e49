//! Handlers of the schemas of a connection: what its tables and views consist of. Their ids are their qualified names.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connection::Connection;
use crate::sandbox::connections::handlers::find;
use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::http::extract::PathParameters;
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::sources::{
    Column, INSPECTED_ROWS, ReadLimit, Relation, Selection, Source, Table, suggest_name,
};
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::{self, Tx, format_time};

/// Rows of a sample.
const RECORDS: usize = 20;

/// `GET /api/connections/{id}/schemas/status`. The sandbox keeps no copy of the schemas, so they are always fresh.
pub(in crate::sandbox) async fn status(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    app.sources.open(&connection)?;
    let time = connection.schemas_refreshed_at.unwrap_or(connection.created_at);
    Ok(Json(json!({ "data": {
        "cache_status": "fresh",
        "last_refresh_finished": time,
        "last_refresh_started": time,
    } })))
}

/// `POST /api/connections/{id}/schemas/refresh`. It is done when the response arrives.
pub(in crate::sandbox) async fn refresh(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<impl IntoResponse> {
    let connection = find(&app, caller, &id).await?;
    let limit = ReadLimit::without_job(SYNCHRONOUS_TIMEOUT);
    app.sources.open(&connection)?.catalog(&limit).await?;
    let unknown = ApiError::unknown("connection", &id);
    let refresh = move |tx: &Tx<'_>| {
        let stored = store::connections::find(tx, caller.organization_id(), connection.id)?;
        let refreshed = Some(format_time(tx.now()));
        let connection = Connection { schemas_refreshed_at: refreshed, ..stored.ok_or(unknown)? };
        store::connections::put(tx, &connection)?;
        Ok(connection.id)
    };
    let id = app.store.write(refresh).await?;
    let location = format!("/api/connections/{id}/schemas/status");
    Ok((StatusCode::OK, [(LOCATION, location)]))
}

/// `GET /api/connections/{id}/schemas/{schema_id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, schema_id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    let source = app.sources.open(&connection)?;
    let (name, table) = read(&source, &schema_id, INSPECTED_ROWS).await?;
    let fields: Vec<Value> = table.columns.iter().map(schema_field).collect();
    Ok(Json(json!({ "data": { "fields": fields, "id": schema_id, "name": name } })))
}

/// `GET /api/connections/{id}/schemas/{schema_id}/records`
pub(in crate::sandbox) async fn records(
    State(app): SharedState,
    caller: Caller,
    PathParameters((id, schema_id)): PathParameters<(String, String)>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    let source = app.sources.open(&connection)?;
    let (_, table) = read(&source, &schema_id, RECORDS).await?;
    let names = || table.columns.iter().map(|column| column.name.clone());
    let record = |row: &Vec<Value>| names().zip(row.iter().cloned()).collect::<Map<_, _>>();
    let records: Vec<Map<String, Value>> = table.rows.iter().map(record).collect();
    Ok(Json(json!({ "data": records })))
}

/// Reads rows of a table or view. Returns them with its name.
///
/// # Errors
/// 404 if there is none with this id, 400 if it cannot be read.
async fn read(source: &Source, id: &str, max_rows: usize) -> Result<(String, Table), ApiError> {
    let limit = ReadLimit::without_job(SYNCHRONOUS_TIMEOUT);
    let catalog = source.catalog(&limit).await?;
    let found = catalog.relations().iter().find(|relation| relation.qualified_name() == id);
    let Some(relation) = found else {
        let names: Vec<String> = catalog.relations().iter().map(Relation::qualified_name).collect();
        let suggestion = suggest_name(id, names.iter().map(String::as_str));
        let id = shorten(id);
        return Err(ApiError::not_found(format!("There is no schema {id}; {suggestion}")));
    };
    let key = if relation.is_view { "view" } else { "table" };
    let table = source.read(Selection::new(key, id.to_owned()), max_rows, &limit).await?;
    Ok((relation.name.clone(), table))
}

/// A column as a field of a schema.
pub(in crate::sandbox) fn schema_field(column: &Column) -> Value {
    json!({
        "association": null,
        "id": column.name,
        "is_primary_key": column.is_primary_key,
        "name": column.name,
        "path": column.name,
        "primary_key_override": null,
        "remote_type": column.remote_type,
        "source_primary_key": column.is_primary_key,
        "type": column.field_type,
        "type_spec": null,
        "user_managed": false,
        "values": null,
    })
}
