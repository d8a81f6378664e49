//! Handlers of the Models operations. An update replaces the whole model, as in the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{JsonObject, PathParameters};
use crate::sandbox::http::paging;
use crate::sandbox::jobs::job::JobType;
use crate::sandbox::jobs::run::{self, JobOptions};
use crate::sandbox::models::definition::resolve_model;
use crate::sandbox::models::model::Model;
use crate::sandbox::models::request::{ModelBody, parse_selection};
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};

/// Rows of a sample.
const SAMPLE_ROWS: usize = 20;

/// `POST /api/models`
pub(in crate::sandbox) async fn create(
    State(app): SharedState,
    options: JobOptions,
    JsonObject(body): JsonObject<ModelBody>,
) -> HandlerResult {
    let request = body.validate()?;
    run::run(app, JobType::CreateModel, options, async move |app, limit| {
        let model = resolve_model(&app, request, Some(Uuid::new_v4()), &limit).await?;
        to_value(&app.store.add_model(model).await?)
    })
    .await
}

/// `POST /api/model-preview`
pub(in crate::sandbox) async fn preview(
    State(app): SharedState,
    options: JobOptions,
    JsonObject(body): JsonObject<ModelBody>,
) -> HandlerResult {
    let request = body.with_default_name("Preview").validate()?;
    run::run(app, JobType::PreviewModel, options, async move |app, limit| {
        to_value(&resolve_model(&app, request, None, &limit).await?)
    })
    .await
}

/// `PUT /api/models/{id}`
pub(in crate::sandbox) async fn update(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    options: JobOptions,
    JsonObject(body): JsonObject<ModelBody>,
) -> HandlerResult {
    let id = find(&app, &id).await?.0;
    let request = body.validate()?;
    run::run(app, JobType::UpdateModel, options, async move |app, limit| {
        let model = resolve_model(&app, request, Some(id), &limit).await?;
        let stored = app.store.replace_model(id, move |old| model.replacing(&old)).await?;
        to_value(&stored.ok_or_else(|| unknown(&id.to_string()))?)
    })
    .await
}

/// `GET /api/models/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let (_, model) = find(&app, &id).await?;
    Ok(Json(json!({ "data": model, "job": null })))
}

/// `DELETE /api/models/{id}`
pub(in crate::sandbox) async fn delete(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<StatusCode> {
    let uuid = Uuid::parse_str(&id).map_err(|_| unknown(&id))?;
    if !app.store.delete_model(uuid).await? {
        return Err(unknown(&id));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/models`, most recently updated first.
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let page = paging::parse_page_request("models", query.as_deref().unwrap_or_default())?;
    Ok(paging::page_response("models", app.store.models(page).await?))
}

/// `GET /api/models/{id}/sample`
pub(in crate::sandbox) async fn sample(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    options: JobOptions,
) -> HandlerResult {
    let (_, model) = find(&app, &id).await?;
    run::run(app, JobType::SampleModel, options, async move |app, limit| {
        read_sample(&app, &model, &limit).await
    })
    .await
}

async fn read_sample(app: &AppState, model: &Model, limit: &ReadLimit) -> Result<Value, ApiError> {
    let id = model.id.unwrap_or_default().to_string();
    let table = app.source.read(parse_selection(&model.configuration)?, SAMPLE_ROWS, limit).await?;
    // A field is null if its column no longer exists, or if the caller declared it without one.
    let columns: Vec<(&String, Option<usize>)> = model
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
            let value = |index: Option<usize>| index.and_then(|index| row.get(index)).cloned();
            let record: Map<String, Value> = columns
                .iter()
                .map(|&(name, index)| (name.clone(), value(index).unwrap_or_default()))
                .collect();
            json!({ (id.as_str()): record })
        })
        .collect();
    let warnings: &[&str] = match model.enricher {
        Some(_) => &[
            "The sandbox does not run enrichment; the records hold the fields of the source only.",
        ],
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
