//! Bodies of error responses.

use reqwest::Method;
use serde_json::json;

use super::{SECRET, json};
use crate::polytomic::{
    ApiOperation, Attempts, BaseUrl, Credential, Error, ErrorBody, FailedRequest, Subject,
};
use crate::registry::ToolError;

/// An error shows no secret, limits its details, and has no text from the API in what an agent trusts.
pub fn error_bodies(data: &[u8]) {
    let (Ok(credential), Ok(base_url)) =
        (Credential::bearer(SECRET), BaseUrl::parse("http://127.0.0.1:9", false))
    else {
        return;
    };
    let with_secret = String::from_utf8_lossy(data).replace("KEY", SECRET);
    let tool_error = |status: u16, body: &[u8]| {
        let body = ErrorBody::parse(status, body, Some("application/json".to_owned()), &credential);
        assert!(!format!("{body:?}").contains(SECRET), "{body:?}");
        let request = FailedRequest {
            operation: ApiOperation {
                name: "create_model",
                subject: Subject::Definition,
                writes: true,
                supports_async: true,
                has_conflicts: false,
            },
            method: Method::POST,
            base_url: base_url.clone(),
            path: "/api/models".to_owned(),
            attempts: Attempts::default(),
            idempotency_key: Some("0123-4567".to_owned()),
            key_source: "POLYTOMIC_API_KEY".to_owned(),
            key_defect: None,
            organization_source: None,
            earlier: None,
        };
        let (request, body) = (Box::new(request), Box::new(body));
        ToolError::from(Error::Status {
            request,
            status,
            body,
            request_id: None,
            retry_after: None,
        })
    };
    for status in [400, 401, 408, 409, 429, 500, 503] {
        let error = tool_error(status, with_secret.as_bytes());
        let own = json!({"key": "k", "message": "m", "status": status}).to_string();
        let bodies = ["", &own, r#"{"key": "k"}"#, r#"{"message": "m"}"#, "<p>", "<p>text"];
        let is_ours = bodies.iter().any(|body| {
            let ours = tool_error(status, body.as_bytes());
            (&ours.message, &ours.hint) == (&error.message, &error.hint)
        });
        assert!(is_ours, "{error:?}");
        assert!(!json(&error).to_string().contains(SECRET), "{error:?}");
        for detail in error.details.values() {
            assert!(detail.to_string().chars().count() < 7_000, "{detail}");
        }
    }
}
