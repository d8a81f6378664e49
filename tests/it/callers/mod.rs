//! A registry whose callers bring their own API keys, its numbers, and whether it is ready.

mod accounts;
mod isolation;
mod metrics;
mod readiness;

use std::sync::Arc;

use polytomic_mcp::polytomic::{BaseUrl, ClientConfig, Credential};
use polytomic_mcp::registry::{
    API_KEY_HEADER, Account, CallSignals, ORGANIZATION_ID_HEADER, Registry, ToolError,
    credential_from_headers,
};
use polytomic_mcp::tools::TOOLS;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::Stub;

const KEY_OF_ADA: &str = "key-of-ada-4711";
const KEY_OF_BOB: &str = "key-of-bob-4712";

fn base_url(stub: &Stub) -> BaseUrl {
    BaseUrl::parse(&stub.url(), false).unwrap()
}

/// A registry without a key.
fn shared(stub: &Stub) -> Registry {
    let url = base_url(stub);
    Registry::with_keys_from_requests(TOOLS, move || Ok(ClientConfig::new(url.clone(), ())))
}

/// A registry with a key in its settings.
fn with_key(stub: &Stub) -> Registry {
    let key = Credential::bearer("key-of-settings-4710").unwrap();
    Registry::new(TOOLS, Ok(ClientConfig::new(base_url(stub), key)))
}

fn credential(key: &str, organization: Option<&str>) -> Credential {
    let mut headers = HeaderMap::new();
    headers.insert(API_KEY_HEADER, key.parse().unwrap());
    if let Some(id) = organization {
        headers.insert(ORGANIZATION_ID_HEADER, id.parse().unwrap());
    }
    credential_from_headers(&headers).unwrap().unwrap()
}

async fn account(registry: &Registry, key: &str) -> Arc<Account> {
    registry.account(credential(key, None)).await.unwrap()
}

/// Calls a tool with a key of the caller, or without one.
async fn call(
    registry: &Registry,
    key: Option<&str>,
    tool: &str,
    arguments: Value,
) -> Result<Value, ToolError> {
    let account = match key {
        Some(key) => Some(account(registry, key).await),
        None => None,
    };
    let signals = CallSignals { account, ..CallSignals::default() };
    run(registry, tool, arguments, signals).await
}

async fn run(
    registry: &Registry,
    tool: &str,
    arguments: Value,
    signals: CallSignals,
) -> Result<Value, ToolError> {
    let tool = registry.tool(tool).unwrap();
    let result = registry.call(tool, arguments.as_object().cloned().unwrap(), signals).await;
    result.map(|text| serde_json::from_str(text.get()).unwrap())
}

async fn stub_with_connections() -> Stub {
    let stub = Stub::start().await;
    stub.json("GET", "/api/connections", 200, json!({"data": []})).await;
    stub
}
