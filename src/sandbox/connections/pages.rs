//! The pages of the sandbox that a user visits in a browser to add a connection, or to authorize one. The secret in their URLs
//! takes the place of an API key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connect_session::ConnectSession;
use crate::sandbox::connections::connection::Connection;
use crate::sandbox::connections::handlers::find;
use crate::sandbox::connections::request::{ConnectionBody, check};
use crate::sandbox::connections::types;
use crate::sandbox::http::base_url::BaseUrl;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::state::{AppState, SharedState};
use crate::sandbox::store::{self, Tx, format_time};

const LINK_IS_OVER: &str = "This link is unknown, was used already or has expired.";

pub(in crate::sandbox) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/sandbox/oauth/{id}", get(authorize))
        .route("/sandbox/connect", get(connect_page).post(connect))
}

type Parameters = BTreeMap<String, String>;

/// Reads a query or the body of a form.
fn parse(text: &str) -> Parameters {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// The visit stands for the consent of a user, and completes the connection.
async fn authorize(
    State(app): SharedState,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = parse(&query.unwrap_or_default());
    let state = query.get("state").cloned().unwrap_or_default();
    let authorize = move |tx: &Tx<'_>| {
        let Some(mut connection) = store::connections::find_unauthorized(tx, &id, &state)? else {
            return Ok(None);
        };
        let authorization = connection.authorization.take();
        connection.updated_at = format_time(tx.now());
        store::connections::put(tx, &connection)?;
        Ok(authorization)
    };
    match app.store.write(authorize).await {
        Ok(Some(authorization)) => match authorization.redirect_url {
            Some(url) => redirect(&url),
            None => page(StatusCode::OK, "Connected", "The connection can be used now."),
        },
        Ok(None) => page(StatusCode::NOT_FOUND, "Nothing to authorize", LINK_IS_OVER),
        Err(error) => error_page(&error),
    }
}

/// Asks for the settings of the connection.
async fn connect_page(State(app): SharedState, RawQuery(query): RawQuery) -> Response {
    let query = parse(&query.unwrap_or_default());
    match open_session(&app, &query).await {
        Ok(session) => html(StatusCode::OK, &session.name, &form(&session, "")),
        Err(error) => error_page(&error),
    }
}

/// Makes the connection, and goes on to where the session leads.
async fn connect(State(app): SharedState, base_url: BaseUrl, body: String) -> Response {
    let form_data = parse(&body);
    let session = match open_session(&app, &form_data).await {
        Ok(session) => session,
        Err(error) => return error_page(&error),
    };
    match complete(&app, &session, &form_data).await {
        Ok(connection) => {
            let url = connection.auth_url(&base_url);
            redirect(url.as_deref().unwrap_or(&session.redirect_url))
        }
        Err(error) => {
            let form = form(&session, error.message());
            html(StatusCode::UNPROCESSABLE_ENTITY, &session.name, &form)
        }
    }
}

/// The session that has not made its connection yet.
async fn open_session(
    app: &Arc<AppState>,
    parameters: &Parameters,
) -> Result<ConnectSession, ApiError> {
    let token = parameters.get("token").cloned().unwrap_or_default();
    let session = app.store.read(move |tx| store::connect_sessions::find(tx, &token)).await?;
    let session = session.filter(|session| !session.is_completed);
    session.ok_or_else(|| ApiError::not_found(LINK_IS_OVER))
}

async fn complete(
    app: &Arc<AppState>,
    session: &ConnectSession,
    form_data: &Parameters,
) -> Result<Connection, ApiError> {
    let r#type = form_data.get("type").cloned().unwrap_or_default();
    if !session.allows(&r#type) {
        return Err(ApiError::invalid("type: this session does not allow it."));
    }
    let configuration: Map<String, Value> =
        serde_json::from_str(form_data.get("configuration").map_or("{}", String::as_str))
            .map_err(|error| ApiError::invalid(format!("configuration: {error}.")))?;
    let caller = Caller::administrator_of(session.organization_id);
    let caller = caller.ok_or_else(|| ApiError::internal(&"a session of no organization"))?;
    let old = match session.connection_id {
        Some(id) => Some(find(app, caller, &id.to_string()).await?),
        None => None,
    };
    let name = old.as_ref().map_or_else(|| session.name.clone(), |old| old.name.clone());
    let body = ConnectionBody {
        name: Some(name),
        r#type: Some(r#type),
        configuration: Some(configuration),
        redirect_url: Some(session.redirect_url.clone()),
        reconnect: Some(true),
        ..ConnectionBody::default()
    };
    let (mut connection, _) = body.resolve(caller, old.as_ref())?;
    check(app, &connection).await?;
    let token = session.token.clone();
    let complete = move |tx: &Tx<'_>| {
        let session = store::connect_sessions::find(tx, &token)?;
        let session = session.filter(|session| !session.is_completed);
        let session = session.ok_or_else(|| ApiError::not_found(LINK_IS_OVER))?;
        connection.updated_at = format_time(tx.now());
        match old {
            Some(old) => {
                connection.created_at = old.created_at;
                connection.created_by = old.created_by;
            }
            None => connection.created_at.clone_from(&connection.updated_at),
        }
        store::connections::put(tx, &connection)?;
        let connection_id = Some(connection.id);
        let session = ConnectSession { connection_id, is_completed: true, ..session };
        store::connect_sessions::put(tx, &session)?;
        Ok(connection)
    };
    app.store.write(complete).await
}

fn form(session: &ConnectSession, error: &str) -> String {
    let mut options = String::new();
    for r#type in types::all().filter(|r#type| session.allows(&r#type.id)) {
        let (id, name) = (escape(&r#type.id), escape(&r#type.name));
        // Writing to a string cannot fail.
        let _ = write!(options, "<option value=\"{id}\">{name}</option>");
    }
    format!(
        "<p role=\"alert\">{}</p><form method=\"post\" action=\"/sandbox/connect\">
         <input type=\"hidden\" name=\"token\" value=\"{}\">
         <p><label>Type <select name=\"type\">{options}</select></label></p>
         <p><label>Configuration, as JSON<br><textarea name=\"configuration\" rows=\"8\" cols=\"60\">{{}}</textarea></label></p>
         <p><button>Connect</button></p></form>",
        escape(error),
        escape(&session.token),
    )
}

fn redirect(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(url) => (StatusCode::SEE_OTHER, [(LOCATION, url)]).into_response(),
        Err(error) => error_page(&ApiError::internal(&error)),
    }
}

fn error_page(error: &ApiError) -> Response {
    page(error.status(), "The connection was not made", error.message())
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    html(status, title, &format!("<p>{}</p>", escape(text)))
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let document = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{body}</html>"
    );
    // No script, no style, nothing from elsewhere, and no URL with its secret sent on.
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(document)).into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
