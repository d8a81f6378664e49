//! Connections, as they are stored and as the API returns them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::Actor;
use crate::sandbox::connections::types::{self, ConnectionType};
use crate::sandbox::http::base_url::BaseUrl;
use crate::sandbox::http::error::ApiError;

/// A connection, with its secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Connection {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) name: String,
    /// The id of its type.
    pub(in crate::sandbox) r#type: String,
    pub(in crate::sandbox) configuration: Map<String, Value>,
    pub(in crate::sandbox) healthcheck_interval: Option<String>,
    pub(in crate::sandbox) policies: Vec<String>,
    /// Why it does not work, if so.
    pub(in crate::sandbox) status_error: Option<String>,
    /// What is missing until a user has let the sandbox in, for types that use OAuth.
    #[serde(default)]
    pub(in crate::sandbox) authorization: Option<Authorization>,
    /// When its schemas were read last; without, when it was created.
    #[serde(default)]
    pub(in crate::sandbox) schemas_refreshed_at: Option<String>,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) created_by: Actor,
    pub(in crate::sandbox) updated_at: String,
    pub(in crate::sandbox) updated_by: Actor,
}

/// An authorization that is still missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Authorization {
    /// Proves that who visits the page was given its URL.
    pub(in crate::sandbox) state: String,
    /// Where the visit leads to.
    pub(in crate::sandbox) redirect_url: Option<String>,
}

impl Authorization {
    pub(in crate::sandbox) fn new(redirect_url: Option<String>) -> Self {
        Self { state: Uuid::new_v4().simple().to_string(), redirect_url }
    }
}

impl Connection {
    pub(in crate::sandbox) fn connection_type(&self) -> Result<&'static ConnectionType, ApiError> {
        types::find(&self.r#type)
    }

    /// A text setting.
    pub(in crate::sandbox) fn setting(&self, name: &str) -> Option<&str> {
        self.configuration.get(name).and_then(Value::as_str)
    }

    /// # Errors
    /// 400 with the reason why nothing can be read from it.
    pub(in crate::sandbox) fn check_usable(&self) -> Result<(), ApiError> {
        match self.failure() {
            Some(error) => Err(ApiError::invalid(format!("Connection {} fails: {error}", self.id))),
            None => Ok(()),
        }
    }

    fn failure(&self) -> Option<&str> {
        match self.authorization {
            Some(_) => Some("not authorized yet; open the auth_url of its creation in a browser."),
            None => self.status_error.as_deref(),
        }
    }

    /// The page on which a user lets the sandbox in.
    pub(in crate::sandbox) fn auth_url(&self, base_url: &BaseUrl) -> Option<String> {
        let Authorization { state, .. } = self.authorization.as_ref()?;
        Some(format!("{base_url}/sandbox/oauth/{}?state={state}", self.id))
    }

    /// The response of creating or updating it, which alone has the URL of that page.
    pub(in crate::sandbox) fn to_created_response(
        &self,
        base_url: &BaseUrl,
    ) -> Result<Value, ApiError> {
        let mut response = self.to_response()?;
        if let Some(response) = response.as_object_mut() {
            response.insert("auth_url".to_owned(), self.auth_url(base_url).into());
        }
        Ok(response)
    }

    /// The connection as the API returns it, without secrets.
    pub(in crate::sandbox) fn to_response(&self) -> Result<Value, ApiError> {
        let r#type = self.connection_type()?;
        let failure = self.failure();
        let status = if failure.is_some() { "unhealthy" } else { "healthy" };
        Ok(json!({
            "api_calls_last_24_hours": 0,
            "auth_code": null,
            "auth_url": null,
            "configuration": r#type.masked(&self.configuration),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "healthcheck_interval": self.healthcheck_interval,
            "id": self.id,
            "name": self.name,
            "organization_id": self.organization_id,
            "parent_connection_id": null,
            "policies": self.policies,
            "rate_limit": null,
            "saved": self.authorization.is_none(),
            "status": status,
            "status_error": failure,
            "type": r#type.summary(),
            "updated_at": self.updated_at,
            "updated_by": self.updated_by,
        }))
    }
}
