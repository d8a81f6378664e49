//! The request body of creating and updating a connection, and checking what it leads to.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use crate::sandbox::accounts::Caller;
use crate::sandbox::connections::connection::{Authorization, Connection};
use crate::sandbox::connections::types;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::http::extract::{missing, validate_name};
use crate::sandbox::jobs::run::SYNCHRONOUS_TIMEOUT;
use crate::sandbox::sources::ReadLimit;
use crate::sandbox::state::AppState;

/// The body of create and update.
#[derive(Debug, Default, Deserialize)]
pub(in crate::sandbox) struct ConnectionBody {
    pub(super) name: Option<String>,
    pub(super) r#type: Option<String>,
    pub(super) configuration: Option<Map<String, Value>>,
    pub(super) healthcheck_interval: Option<String>,
    pub(super) organization_id: Option<Uuid>,
    pub(super) policies: Option<Vec<String>>,
    pub(super) validate: Option<bool>,
    pub(super) redirect_url: Option<String>,
    pub(super) reconnect: Option<bool>,
}

impl ConnectionBody {
    /// The connection that the body describes: a new one, or the replacement of `old`.
    ///
    /// # Errors
    /// 400 that names the property.
    pub(super) fn resolve(
        self,
        caller: Caller,
        old: Option<&Connection>,
    ) -> Result<(Connection, bool), ApiError> {
        caller.check_organization(self.organization_id)?;
        let name = validate_name(self.name)?;
        let r#type = self.r#type.or_else(|| old.map(|old| old.r#type.clone()));
        let r#type = r#type.ok_or_else(|| missing("type", "the id of a connection type"))?;
        if let Some(old) = old.filter(|old| old.r#type != r#type) {
            let message = format!("type: the connection is of type {}, which stays.", old.r#type);
            return Err(ApiError::invalid(message));
        }
        let connection_type = types::find(&r#type)?;
        let configuration =
            self.configuration.ok_or_else(|| missing("configuration", "an object"))?;
        let configuration = match old {
            Some(old) => connection_type.unmasked(configuration, &old.configuration),
            None => configuration,
        };
        let redirect_url = self
            .redirect_url
            .map(|url| parse_redirect_url(&url).map_err(ApiError::invalid))
            .transpose()?;
        // What is authorized stays so, unless it is to be connected again.
        let authorization = match old {
            Some(old) if self.reconnect != Some(true) => old.authorization.clone(),
            _ => connection_type.use_oauth.then(|| Authorization::new(redirect_url)),
        };
        let connection = Connection {
            id: old.map_or_else(Uuid::new_v4, |old| old.id),
            organization_id: caller.organization_id(),
            name,
            r#type,
            configuration: connection_type.complete(configuration)?,
            healthcheck_interval: self.healthcheck_interval,
            policies: self.policies.unwrap_or_default(),
            status_error: None,
            authorization,
            schemas_refreshed_at: old.and_then(|old| old.schemas_refreshed_at.clone()),
            created_at: String::new(),
            created_by: caller.actor(),
            updated_at: String::new(),
            updated_by: caller.actor(),
        };
        Ok((connection, self.validate.unwrap_or(true)))
    }
}

/// The URL that a browser is sent to at the end.
///
/// # Errors
/// What is expected of it.
pub(super) fn parse_redirect_url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.map(String::from).ok_or("redirect_url: expected an http or https URL without credentials.")
}

/// Checks that the service behind a connection lets it in. Only that of a source can be reached.
///
/// # Errors
/// 422 with the reason.
pub(super) async fn check(app: &Arc<AppState>, connection: &Connection) -> Result<(), ApiError> {
    let Some(source) = app.sources.find(connection) else {
        return Ok(());
    };
    let limit = ReadLimit::without_job(SYNCHRONOUS_TIMEOUT);
    let refused = |error: ApiError| ApiError::unprocessable(error.message());
    source.map_err(refused)?.catalog(&limit).await.map(drop).map_err(refused)
}
