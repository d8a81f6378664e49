//! The routes, and what holds for every request: the version header, the key, the log line, JSON
//! for every failure.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::sandbox::error::ApiError;
use crate::sandbox::state::AppState;
use crate::sandbox::{access, account, connections, idempotency, jobs, models, syncs};

const VERSION: HeaderValue = HeaderValue::from_static("2025-09-18");

pub(super) fn router(app: &Arc<AppState>) -> Router {
    let once = || middleware::from_fn_with_state(Arc::clone(app), idempotency::once_per_key);
    Router::new()
        .route("/api/me", get(account::identity))
        .route("/api/connection_types", get(connections::list_types))
        .route("/api/connection_types/{id}", get(connections::type_schema))
        .route("/api/connections", get(connections::list))
        .route("/api/connections/test", post(connections::test).layer(once()))
        .route("/api/connections/{id}", get(connections::get))
        .route("/api/connections/{id}/modelsync/source", get(connections::source))
        .route("/api/connections/{id}/modelsync/source/fields", get(connections::source_fields))
        .route(
            "/api/connections/{id}/modelsync/enrichment-source",
            get(connections::enrichment_source),
        )
        .route(
            "/api/enrichment/{connection_id}/inputfields",
            post(connections::enrichment_source).layer(once()),
        )
        .route("/api/models", post(models::create).layer(once()).get(models::list))
        .route("/api/models/{id}", get(models::get).put(models::update).delete(models::delete))
        .route("/api/models/{id}/sample", get(models::sample))
        .route("/api/model-preview", post(models::preview).layer(once()))
        .route("/api/syncs", post(syncs::create).layer(once()).get(syncs::list))
        .route("/api/syncs/{id}", get(syncs::get))
        .route("/api/jobs/{type}/{id}", get(jobs::get))
        .fallback(async || ApiError::not_found("There is nothing at this path."))
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        // Bodies are bounded where they are read: too large a one is read to its end there, or
        // the client would see a broken connection in place of the answer.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(app), access::require_key))
        .layer(CatchPanicLayer::custom(ApiError::panicked))
        .layer(middleware::from_fn(observe))
        .with_state(Arc::clone(app))
}

/// Stamps and logs every answer. The path is the route's template: ids and queries are the
/// caller's business.
async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-polytomic-version", VERSION);
    tracing::debug!(
        method = %method,
        path = path.as_ref().map_or("unknown", MatchedPath::as_str),
        status = response.status().as_u16(),
        elapsed_ms = started.elapsed().as_millis(),
        "answered"
    );
    response
}
