//! Who the client is towards the API: a Bearer key, or organization id and key as Basic.
//!
//! Source: contract section 1.1 and gap G1. Never both; `GET /api/me` tells what a key is.

use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;

use super::Error;

/// A credential. Its Debug output shows the scheme only.
#[derive(Clone)]
pub struct Credential {
    key: String,
    organization_id: Option<String>,
}

impl Credential {
    /// A key that acts as a user, a partner or a deployment: `Authorization: Bearer KEY`.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the key is empty or has characters that no header may hold.
    pub fn bearer(key: &str) -> Result<Self, Error> {
        let key = key.trim().to_owned();
        if key.is_empty() || HeaderValue::try_from(format!("Bearer {key}")).is_err() {
            return Err(Error::Configuration {
                message: "The API key is empty or has characters that an HTTP header cannot hold."
                    .into(),
                hint: "Copy the key again, without line breaks, into POLYTOMIC_API_KEY.".into(),
            });
        }
        Ok(Self { key, organization_id: None })
    }

    /// A key used inside one organization: `Authorization: Basic base64(ORGANIZATION_ID:KEY)`.
    ///
    /// # Errors
    /// As [`Credential::bearer`]; and an organization id may not hold a colon.
    pub fn basic(organization_id: &str, key: &str) -> Result<Self, Error> {
        let organization_id = organization_id.trim();
        if organization_id.is_empty() || organization_id.contains(':') {
            return Err(Error::Configuration {
                message: "The organization id is empty or has a colon in it.".into(),
                hint: "Set POLYTOMIC_ORGANIZATION_ID to the organization's UUID, or unset it to \
                       use the key as a Bearer key."
                    .into(),
            });
        }
        Ok(Self { organization_id: Some(organization_id.to_owned()), ..Self::bearer(key)? })
    }

    /// Takes the key out of text that came from outside: some servers echo what they were sent.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.key, "[redacted]")
    }

    /// Adds the header; reqwest marks both kinds as sensitive, so no log of its prints them.
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.organization_id {
            Some(id) => request.basic_auth(id, Some(&self.key)),
            None => request.bearer_auth(&self.key),
        }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.organization_id.is_some() { "Basic(…)" } else { "Bearer(…)" })
    }
}
