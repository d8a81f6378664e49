//! Handlers of the Models operations. An update replaces the whole model, as in the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::PathParameters;
use crate::sandbox::http::paging::{self, PageResponse};
use crate::sandbox::jobs::job::JobType;
use crate::sandbox::jobs::run::{self, Change, JobOptions, Response};
use crate::sandbox::models::definition::{complete_model, resolve_model};
use crate::sandbox::models::enricher::{self, Enricher};
use crate::sandbox::models::model::Model;
use crate::sandbox::models::request::ModelBody;
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::{AppState, HandlerResult, SharedState};
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::{self, Tx};

/// Rows of a sample.
const SAMPLE_ROWS: usize = 20;

/// `POST /api/models`
pub(in crate::sandbox) async fn create(
    State(app): SharedState,
    options: JobOptions,
    body: ModelBody,
) -> HandlerResult<Outcome> {
    let caller = options.caller();
    let request = body.validate(caller)?;
    run::run(app, JobType::CreateModel, options, async move |app, limit| {
        let mut model = resolve_model(&app, caller, request, Some(Uuid::new_v4()), &limit).await?;
        Ok(Box::new(move |tx: &Tx<'_>| {
            complete_model(tx, &mut model)?;
            store::models::put(tx, &model)?;
            to_json(&model)
        }) as Change)
    })
    .await
}

/// `POST /api/model-preview`
pub(in crate::sandbox) async fn preview(
    State(app): SharedState,
    options: JobOptions,
    body: ModelBody,
) -> HandlerResult<Outcome> {
    let caller = options.caller();
    let request = body.with_default_name("Preview").validate(caller)?;
    run::run(app, JobType::PreviewModel, options, async move |app, limit| {
        let mut model = resolve_model(&app, caller, request, None, &limit).await?;
        Ok(Box::new(move |tx: &Tx<'_>| {
            complete_model(tx, &mut model)?;
            to_json(&model)
        }) as Change)
    })
    .await
}

/// `PUT /api/models/{id}`
pub(in crate::sandbox) async fn update(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    options: JobOptions,
    body: ModelBody,
) -> HandlerResult<Outcome> {
    let caller = options.caller();
    let id = find(&app, caller, &id).await?.0;
    let request = body.validate(caller)?;
    run::run(app, JobType::UpdateModel, options, async move |app, limit| {
        let mut model = resolve_model(&app, caller, request, Some(id), &limit).await?;
        Ok(Box::new(move |tx: &Tx<'_>| {
            let old = store::models::find(tx, caller.organization_id(), id)?;
            let old = old.ok_or_else(|| unknown(&id.to_string()))?;
            complete_model(tx, &mut model)?;
            let model = model.replacing(&old);
            store::models::put(tx, &model)?;
            to_json(&model)
        }) as Change)
    })
    .await
}

/// `GET /api/models/{id}`
pub(in crate::sandbox) async fn get(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<Json<Response<Model>>> {
    let (_, model) = find(&app, caller, &id).await?;
    Ok(Json(Response { data: model, job: None }))
}

/// `DELETE /api/models/{id}`
pub(in crate::sandbox) async fn delete(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult<StatusCode> {
    let uuid = Uuid::parse_str(&id).map_err(|_| unknown(&id))?;
    let organization_id = caller.organization_id();
    if !app.store.write(move |tx| store::models::delete(tx, organization_id, uuid)).await? {
        return Err(unknown(&id));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/models`, most recently updated first.
pub(in crate::sandbox) async fn list(
    State(app): SharedState,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> HandlerResult<Json<PageResponse<Model>>> {
    let page = paging::parse_page_request("models", query.as_deref().unwrap_or_default())?;
    let organization_id = caller.organization_id();
    let page = app.store.read(move |tx| store::models::page(tx, organization_id, page)).await?;
    Ok(paging::page_response("models", page))
}

/// `GET /api/models/{id}/sample`
pub(in crate::sandbox) async fn sample(
    State(app): SharedState,
    PathParameters(id): PathParameters<String>,
    options: JobOptions,
) -> HandlerResult<Outcome> {
    let caller = options.caller();
    let (_, model) = find(&app, caller, &id).await?;
    run::run(app, JobType::SampleModel, options, async move |app, limit| {
        let sample = read_sample(&app, caller, &model, &limit).await?;
        Ok(Box::new(move |_: &Tx<'_>| to_json(&sample)) as Change)
    })
    .await
}

async fn read_sample(
    app: &Arc<AppState>,
    caller: Caller,
    model: &Model,
    limit: &ReadLimit,
) -> Result<Value, ApiError> {
    let id = model.id.unwrap_or_default().to_string();
    let connection = connections::find(app, caller, &model.connection_id.to_string()).await?;
    let source = app.sources.open(&connection)?;
    let table = source.read(model.configuration.selection()?, SAMPLE_ROWS, limit).await?;
    // A field is null if its column no longer exists, or if the caller declared it without one.
    let columns: Vec<(&String, Option<usize>)> = model
        .fields
        .iter()
        .map(|field| {
            (&field.name, table.columns.iter().position(|column| column.name == field.name))
        })
        .collect();
    let rows: Vec<Map<String, Value>> = table
        .rows
        .iter()
        .map(|row| {
            let value = |index: Option<usize>| index.and_then(|index| row.get(index)).cloned();
            columns
                .iter()
                .map(|&(name, index)| (name.clone(), value(index).unwrap_or_default()))
                .collect()
        })
        .collect();
    let stored = model.enricher.clone().map(|enricher| serde_json::from_value(enricher.into()));
    let (records, warnings): (Vec<Value>, Vec<String>) = match stored {
        None => (rows.into_iter().map(|row| json!({ (id.as_str()): row })).collect(), Vec::new()),
        // Stored by an earlier release, which did not check it.
        Some(Err(_)) => {
            let warning =
                "The enricher is incomplete: update the model with its configuration and mappings.";
            let records = rows.into_iter().map(|row| json!({ (id.as_str()): row }));
            (records.collect(), vec![warning.to_owned()])
        }
        Some(Ok(enricher)) => {
            let enricher: Enricher = enricher;
            let (enriched, warnings) =
                enricher::enrich(app, caller, &enricher, model, &rows, limit).await?;
            let enricher_id = enricher.enricher_id.to_string();
            let records = rows.into_iter().zip(enriched);
            let record =
                |(row, enriched)| json!({ (id.as_str()): row, (enricher_id.as_str()): enriched });
            (records.map(record).collect(), warnings)
        }
    };
    Ok(json!({ "records": records, "warnings": warnings }))
}

async fn find(app: &Arc<AppState>, caller: Caller, id: &str) -> Result<(Uuid, Model), ApiError> {
    let uuid = Uuid::parse_str(id).map_err(|_| unknown(id))?;
    let organization_id = caller.organization_id();
    let model = app.store.read(move |tx| store::models::find(tx, organization_id, uuid)).await?;
    let model = model.ok_or_else(|| unknown(id))?;
    Ok((uuid, model))
}

fn unknown(id: &str) -> ApiError {
    ApiError::unknown("model", id)
}

fn to_json(result: &impl Serialize) -> Result<Box<RawValue>, ApiError> {
    to_raw_value(result).map_err(|error| ApiError::internal(&error))
}
