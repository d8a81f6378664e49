//! What `http` and `rpc --listen` have in common: who may call, health, metrics, metadata for OAuth, and pages that may call.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::auth::{Auth, Caller};
use super::body::Body;
use super::budget::Budget;
use super::connection::Connection;
use super::guard::Guard;
use super::rejection::Rejection;
use super::server::Handler;

/// Where a supervisor or load balancer asks whether the server runs, without a token.
const HEALTH_PATH: &str = "/healthz";
/// Where it asks whether calls would succeed.
const READY_PATH: &str = "/readyz";
/// Where Prometheus reads what has happened.
const METRICS_PATH: &str = "/metrics";
const READING_METHODS: &str = "GET, HEAD";

/// The protocol that a site serves.
pub(crate) trait Service: Send + Sync + 'static {
    /// The methods that a path allows; none if there is nothing.
    fn allowed_methods(&self, path: &str) -> Option<&'static str>;

    /// Whether a request may have its method.
    fn allows_method(&self, request: &Request<Incoming>, allowed: &str) -> bool {
        allowed.split(", ").any(|method| method == request.method().as_str())
    }

    /// The sentence for a request whose path or method is another one.
    fn expectation(&self) -> &'static str;

    /// Responds to a request for such a path with such a method.
    fn respond(
        &self,
        request: Request<Incoming>,
        caller: Caller,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// What a site says about the server.
pub(crate) trait Probe: Send + Sync + 'static {
    /// Whether calls would succeed, or why not.
    fn is_ready(&self) -> BoxFuture<'_, Result<(), String>>;

    /// The metrics, in the text format of Prometheus.
    fn metrics(&self) -> String;
}

/// A document, and the paths at which it is.
pub(crate) type Metadata = (Vec<String>, Bytes);

/// A protocol, and what is around it.
pub(crate) struct Site<S> {
    pub(crate) service: S,
    pub(crate) guard: Guard,
    pub(crate) auth: Auth,
    pub(crate) budget: Budget,
    pub(crate) probe: Box<dyn Probe>,
    /// Metadata about the protected resource.
    pub(crate) metadata: Option<Metadata>,
}

impl<S: Service> Handler for Site<S> {
    type Body = Body;

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let origin = self.guard.allowed_origin(request.headers());
        let response = self.respond(request, connection).await;
        let mut response = response.unwrap_or_else(Rejection::into_response);
        self.guard.share_with(origin, response.headers_mut());
        response
    }
}

impl<S: Service> Site<S> {
    async fn respond(
        &self,
        request: Request<Incoming>,
        connection: Arc<Connection>,
    ) -> Result<Response<Body>, Rejection> {
        self.guard.check(&request)?;
        let path = request.uri().path();
        let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
        let document = match path {
            HEALTH_PATH => true,
            READY_PATH | METRICS_PATH => true,
            path => self.metadata_at(path).is_some(),
        };
        let allowed =
            if document { Some(READING_METHODS) } else { self.service.allowed_methods(path) };
        if let Some(headers) = self.guard.preflight(&request, allowed.unwrap_or_default()) {
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().extend(headers);
            return Ok(response);
        }
        if document && !is_reading {
            return Err(Rejection::method(READING_METHODS, format!("Read {path} with GET.")));
        }
        match path {
            HEALTH_PATH => return Ok(text("ok\n".to_owned(), StatusCode::OK)),
            READY_PATH => {
                return Ok(match self.probe.is_ready().await {
                    Ok(()) => text("ok\n".to_owned(), StatusCode::OK),
                    Err(reason) => text(format!("{reason}\n"), StatusCode::SERVICE_UNAVAILABLE),
                });
            }
            path => {
                if let Some(document) = self.metadata_at(path) {
                    let mut response = Response::new(Body::from(document));
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    return Ok(response);
                }
            }
        }
        let identity = self.auth.identify(&request).await?;
        connection.trust();
        if path == METRICS_PATH {
            let mut response = text(self.probe.metrics(), StatusCode::OK);
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, format);
            return Ok(response);
        }
        let Some(allowed) = allowed else {
            return Err(Rejection::new(StatusCode::NOT_FOUND, self.service.expectation()));
        };
        if !self.service.allows_method(&request, allowed) {
            return Err(Rejection::method(allowed, self.service.expectation()));
        }
        let caller = Caller { identity, connection, budget: self.budget.clone() };
        Ok(self.service.respond(request, caller).await)
    }

    fn metadata_at(&self, path: &str) -> Option<Bytes> {
        let (paths, document) = self.metadata.as_ref()?;
        paths.iter().any(|known| known == path).then(|| document.clone())
    }
}

fn text(text: String, status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
