//! The Models operations. Updating replaces everything, as the API's does.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::definition::define;
use crate::sandbox::error::ApiError;
use crate::sandbox::job::JobType;
use crate::sandbox::jobs::{self, Call};
use crate::sandbox::model::Model;
use crate::sandbox::model_request::{ModelBody, select};
use crate::sandbox::paging;
use crate::sandbox::requests::{Object, PathParts};
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};

const SAMPLE_ROWS: usize = 20;

/// `POST /api/models`
pub(super) async fn create(
    State(app): SharedState,
    call: Call,
    Object(body): Object<ModelBody>,
) -> HandlerResult {
    let request = body.check()?;
    jobs::answer(app, JobType::CreateModel, call, async move |app, limit| {
        let model = define(&app, request, Some(Uuid::new_v4()), &limit).await?;
        to_value(&app.store.add_model(model).await?)
    })
    .await
}

/// `POST /api/model-preview`
pub(super) async fn preview(
    State(app): SharedState,
    call: Call,
    Object(body): Object<ModelBody>,
) -> HandlerResult {
    let request = body.named("Preview").check()?;
    jobs::answer(app, JobType::PreviewModel, call, async move |app, limit| {
        to_value(&define(&app, request, None, &limit).await?)
    })
    .await
}

/// `PUT /api/models/{id}`
pub(super) async fn update(
    State(app): SharedState,
    PathParts(id): PathParts<String>,
    call: Call,
    Object(body): Object<ModelBody>,
) -> HandlerResult {
    let id = find(&app, &id).await?.0;
    let request = body.check()?;
    jobs::answer(app, JobType::UpdateModel, call, async move |app, limit| {
        let model = define(&app, request, Some(id), &limit).await?;
        let stored = app.store.replace_model(id, move |old| model.succeeding(&old)).await?;
        to_value(&stored.ok_or_else(|| unknown(&id.to_string()))?)
    })
    .await
}

/// `GET /api/models/{id}`
pub(super) async fn get(
    State(app): SharedState,
    PathParts(id): PathParts<String>,
) -> HandlerResult {
    let (_, model) = find(&app, &id).await?;
    Ok(Json(json!({ "data": model, "job": null })))
}

/// `DELETE /api/models/{id}`
pub(super) async fn delete(
    State(app): SharedState,
    PathParts(id): PathParts<String>,
) -> HandlerResult<StatusCode> {
    let uuid = Uuid::parse_str(&id).map_err(|_| unknown(&id))?;
    if !app.store.delete_model(uuid).await? {
        return Err(unknown(&id));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/models`, newest change first.
pub(super) async fn list(State(app): SharedState, RawQuery(query): RawQuery) -> HandlerResult {
    let span = paging::read_span("models", query.as_deref().unwrap_or_default())?;
    Ok(paging::answer("models", app.store.models(span).await?))
}

/// `GET /api/models/{id}/sample`
pub(super) async fn sample(
    State(app): SharedState,
    PathParts(id): PathParts<String>,
    call: Call,
) -> HandlerResult {
    let (_, model) = find(&app, &id).await?;
    jobs::answer(app, JobType::SampleModel, call, async move |app, limit| {
        read_sample(&app, &model, &limit).await
    })
    .await
}

async fn read_sample(app: &AppState, model: &Model, limit: &ReadLimit) -> Result<Value, ApiError> {
    let id = model.id.unwrap_or_default().to_string();
    let table = app.source.read(select(&model.configuration)?, SAMPLE_ROWS, limit).await?;
    // A field whose column has gone, or that the caller declared without one, is null.
    let places: Vec<(&String, Option<usize>)> = model
        .fields
        .iter()
        .map(|field| {
            (&field.name, table.columns.iter().position(|column| column.name == field.name))
        })
        .collect();
    let records: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let value = |place: Option<usize>| place.and_then(|place| row.get(place)).cloned();
            let record: Map<String, Value> = places
                .iter()
                .map(|&(name, place)| (name.clone(), value(place).unwrap_or_default()))
                .collect();
            json!({ (id.as_str()): record })
        })
        .collect();
    let warnings: &[&str] = match model.enricher {
        Some(_) => &["Enrichment is not run in the sandbox; the records hold the source's fields."],
        None => &[],
    };
    Ok(json!({ "records": records, "warnings": warnings }))
}

async fn find(app: &Arc<AppState>, id: &str) -> Result<(Uuid, Model), ApiError> {
    let uuid = Uuid::parse_str(id).map_err(|_| unknown(id))?;
    let model = app.store.model(uuid).await?.ok_or_else(|| unknown(id))?;
    Ok((uuid, model))
}

fn unknown(id: &str) -> ApiError {
    ApiError::unknown("model", id)
}

fn to_value(model: &Model) -> Result<Value, ApiError> {
    serde_json::to_value(model).map_err(|error| ApiError::internal(&error))
}
