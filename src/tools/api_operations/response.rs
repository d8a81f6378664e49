//! The response to an operation, as tools return it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use super::secrets::returns_secrets;
use crate::contract::Operation;
use crate::polytomic::unmarked;
use crate::registry::redaction;

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct OperationResponse {
    operation: &'static str,
    /// Body of the response; absent if it has none.
    response: Option<Map<String, Value>>,
    /// `page_token` of the next page.
    next_page_token: Option<String>,
}

impl OperationResponse {
    /// A response with its secrets masked, unless they are what was asked for.
    pub(super) fn new(operation: &'static Operation, response: Option<Map<String, Value>>) -> Self {
        let mut response = response;
        let mut next_page_token = None;
        if let Some(response) = &mut response {
            // The name of the token is that of a secret.
            if let Some(Value::Object(mut pagination)) = response.shift_remove("pagination") {
                next_page_token = match pagination.shift_remove("next_page_token") {
                    Some(Value::String(token)) => Some(unmarked(&token).to_owned()),
                    Some(Value::Number(token)) => Some(token.to_string()),
                    _ => None,
                };
                if !pagination.is_empty() {
                    response.insert("pagination".to_owned(), pagination.into());
                }
            }
            if !returns_secrets(operation) {
                redaction::mask(response);
            }
        }
        let next_page_token = next_page_token.filter(|token| !token.is_empty());
        Self { operation: &operation.name, response, next_page_token }
    }
}
