//! The routes, and what applies to every request: authentication, the version header, a log line, and
//! JSON errors.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::{credentials, idempotency};
use crate::sandbox::state::AppState;
use crate::sandbox::{account, connections, jobs, models, syncs};

const VERSION: HeaderValue = HeaderValue::from_static("2025-09-18");

pub(in crate::sandbox) fn router(app: &Arc<AppState>) -> Router {
    let idempotent = || middleware::from_fn_with_state(Arc::clone(app), idempotency::once_per_key);
    Router::new()
        .route("/api/me", get(account::identity))
        .route("/api/connection_types", get(connections::handlers::list_types))
        .route("/api/connection_types/{id}", get(connections::handlers::type_schema))
        .route("/api/connections", get(connections::handlers::list))
        .route("/api/connections/test", post(connections::handlers::test).layer(idempotent()))
        .route("/api/connections/{id}", get(connections::handlers::get))
        .route("/api/connections/{id}/modelsync/source", get(connections::handlers::source))
        .route(
            "/api/connections/{id}/modelsync/source/fields",
            get(connections::handlers::source_fields),
        )
        .route(
            "/api/connections/{id}/modelsync/enrichment-source",
            get(connections::handlers::enrichment_source),
        )
        .route(
            "/api/enrichment/{connection_id}/inputfields",
            post(connections::handlers::enrichment_source).layer(idempotent()),
        )
        .route(
            "/api/models",
            post(models::handlers::create).layer(idempotent()).get(models::handlers::list),
        )
        .route(
            "/api/models/{id}",
            get(models::handlers::get)
                .put(models::handlers::update)
                .delete(models::handlers::delete),
        )
        .route("/api/models/{id}/sample", get(models::handlers::sample))
        .route("/api/model-preview", post(models::handlers::preview).layer(idempotent()))
        .route(
            "/api/syncs",
            post(syncs::handlers::create).layer(idempotent()).get(syncs::handlers::list),
        )
        .route("/api/syncs/{id}", get(syncs::handlers::get))
        .route("/api/jobs/{type}/{id}", get(jobs::run::get))
        .fallback(async || ApiError::not_found("There is nothing at this path."))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        // `JsonObject` limits bodies instead: it reads one that is too large to its end, because the
        // client would otherwise see a broken connection in place of the error.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(app), credentials::require_key))
        .layer(CatchPanicLayer::custom(ApiError::panicked))
        .layer(middleware::from_fn(finish_response))
        .with_state(Arc::clone(app))
}

/// Adds the version header to every response and logs it. The logged path is the route's template:
/// ids and queries are the caller's data.
async fn finish_response(request: Request, next: Next) -> Response {
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
        "sandbox request finished"
    );
    response
}
