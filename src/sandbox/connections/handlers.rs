//! Handlers of connections and their types. An update replaces the whole configuration, as in the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connection::Connection;
use crate::sandbox::connections::request::{ConnectionBody, check};
use crate::sandbox::connections::types;
use crate::sandbox::http::base_url::BaseUrl;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, PathParameters, missing, parse_flag};
use crate::sandbox::http::idempotency::RequestKey;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::connections::Dependents;
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::{self, Tx, format_time};

/// `GET /api/connections`
pub(in crate::sandbox) async fn list(State(app): SharedState, caller: Caller) -> HandlerResult {
    let organization_id = caller.organization_id();
    let all = app.store.read(move |tx| store::connections::all(tx, organization_id)).await?;
    let all = all.iter().map(Connection::to_response).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "data": all })))
}

/// `GET /api/connections/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let connection = find(&app, caller, &id).await?;
    Ok(Json(json!({ "data": connection.to_response()? })))
}

/// The connection with this id.
///
/// # Errors
/// 404 if the caller's organization has none.
pub(in crate::sandbox) async fn find(
    app: &Arc<AppState>,
    caller: Caller,
    id: &str,
) -> Result<Connection, ApiError> {
    let unknown = || ApiError::unknown("connection", id);
    let uuid = Uuid::parse_str(id).map_err(|_| unknown())?;
    let organization_id = caller.organization_id();
    let find = move |tx: &Tx<'_>| store::connections::find(tx, organization_id, uuid);
    app.store.read(find).await?.ok_or_else(unknown)
}

/// `POST /api/connections`
pub(in crate::sandbox) async fn create(
    State(app): SharedState,
    caller: Caller,
    RequestKey(key): RequestKey,
    base_url: BaseUrl,
    JsonObject(body): JsonObject<ConnectionBody>,
) -> HandlerResult<Outcome> {
    let (mut connection, validate) = body.resolve(caller, None)?;
    if validate {
        check(&app, &connection).await?;
    }
    let create = move |tx: &Tx<'_>| {
        connection.created_at = format_time(tx.now());
        connection.updated_at.clone_from(&connection.created_at);
        store::connections::put(tx, &connection)?;
        Ok(json!({ "data": connection.to_created_response(&base_url)? }))
    };
    app.store.commit(key, create).await
}

/// `PUT /api/connections/{id}`
pub(in crate::sandbox) async fn update(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    base_url: BaseUrl,
    JsonObject(body): JsonObject<ConnectionBody>,
) -> HandlerResult<Outcome> {
    let old = find(&app, caller, &id).await?;
    let (mut connection, validate) = body.resolve(caller, Some(&old))?;
    if validate {
        check(&app, &connection).await?;
    }
    let authorization = old.authorization.map(|authorization| authorization.state);
    let update = move |tx: &Tx<'_>| {
        let old = store::connections::find(tx, caller.organization_id(), connection.id)?;
        let old = old.ok_or_else(|| ApiError::unknown("connection", &id))?;
        // A user may have authorized it in the meantime.
        if connection.authorization.as_ref().map(|new| &new.state) == authorization.as_ref() {
            connection.authorization = old.authorization;
        }
        connection.created_at = old.created_at;
        connection.created_by = old.created_by;
        connection.updated_at = format_time(tx.now());
        store::connections::put(tx, &connection)?;
        Ok(json!({ "data": connection.to_created_response(&base_url)? }))
    };
    app.store.commit(None, update).await
}

/// `DELETE /api/connections/{id}`
pub(in crate::sandbox) async fn delete(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    RawQuery(query): RawQuery,
) -> HandlerResult<StatusCode> {
    let is_forced = parse_flag(&query.unwrap_or_default(), "force")?.unwrap_or_default();
    let connection = find(&app, caller, &id).await?.id;
    let organization_id = caller.organization_id();
    let delete = move |tx: &Tx<'_>| {
        let dependents = store::connections::dependents(tx, organization_id, connection)?;
        let Dependents { models, syncs } = &dependents;
        if !is_forced && models.len() + syncs.len() > 0 {
            return Err(ApiError::unprocessable(&format!(
                "{} models and {} model syncs use this connection; delete them first, or pass force=true to \
                 delete them with it.",
                models.len(),
                syncs.len()
            )));
        }
        for model in models {
            store::models::delete(tx, organization_id, *model)?;
        }
        for sync in syncs {
            store::syncs::delete(tx, organization_id, *sync)?;
        }
        store::connections::delete(tx, organization_id, connection)
    };
    match app.store.write(delete).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::unknown("connection", &id)),
    }
}

/// The body of a connection test.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct TestBody {
    configuration: Option<Map<String, Value>>,
    connection_id: Option<String>,
    r#type: Option<String>,
}

/// `POST /api/connections/test`
pub(in crate::sandbox) async fn test(
    State(app): SharedState,
    caller: Caller,
    JsonObject(body): JsonObject<TestBody>,
) -> HandlerResult<StatusCode> {
    let r#type = body.r#type.ok_or_else(|| missing("type", "the id of a connection type"))?;
    let stored = match body.connection_id {
        Some(id) => Some(find(&app, caller, &id).await?),
        None => None,
    };
    // Settings that are left out are those of the stored connection.
    let configuration = body.configuration.map(|configuration| {
        let mut settings = stored.as_ref().map_or_else(Map::new, |old| old.configuration.clone());
        settings.extend(configuration);
        settings
    });
    let unchanged = stored.as_ref().filter(|stored| {
        configuration.as_ref().is_none_or(|settings| *settings == stored.configuration)
    });
    let body = ConnectionBody {
        name: Some("Test".to_owned()),
        r#type: Some(r#type),
        configuration,
        ..ConnectionBody::default()
    };
    let (connection, _) = body.resolve(caller, stored.as_ref())?;
    // Documented for this operation are 400 and 404, not 422.
    check(&app, &connection).await.map_err(|error| ApiError::invalid(error.message()))?;
    // The sandbox does not connect itself to most types.
    if let Some(reason) = unchanged.and_then(|stored| stored.status_error.as_ref()) {
        return Err(ApiError::invalid(reason));
    }
    // As documented: 200 with an empty body, not 204.
    Ok(StatusCode::OK)
}

/// `GET /api/connection_types`
pub(in crate::sandbox) async fn list_types() -> Json<Value> {
    let types: Vec<Value> = types::all().map(types::ConnectionType::description).collect();
    Json(json!({ "data": types }))
}

/// `GET /api/connection_types/{id}`. The response has no `data` envelope.
pub(in crate::sandbox) async fn type_schema(
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let r#type = types::find(&id).map_err(|_| ApiError::unknown("connection type", &id))?;
    Ok(Json(r#type.schema()))
}
