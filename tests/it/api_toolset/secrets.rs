//! Which operations return or take secrets.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{find, with_toolset};
use crate::support::{Launch, Session, contract};

/// Words in names of properties that hold secrets.
const WORDS: [&str; 8] =
    ["secret", "password", "passphrase", "token", "api_key", "credential", "url", "headers"];
/// Names with such a word that hold no secret.
const PLAIN: [&str; 12] = [
    "logo_dark_url",
    "logo_url",
    "mcp_server_url",
    "page_token",
    "next_page_token",
    "credential_id",
    "token_type",
    "generate_api_key",
    "api_key_profile",
    "lockedHeaders",
    "blockedRequestHeaders",
    "blockedResponseHeaders",
];
/// Operations whose secrets are always masked, so that they are of use without: the secret of a webhook, the metadata of a
/// credential, the headers that a proxy allows, the signature of a URL.
const MASKED: [&str; 9] = [
    "list_events",
    "disable_webhook",
    "enable_webhook",
    "get_connection_proxy_info",
    "get_harbor_activity_event",
    "get_harbor_activity_session",
    "get_webhook",
    "list_harbor_activity",
    "list_webhooks",
];

/// The names of all properties in a schema.
fn names(schema: &'static Value, seen: &mut BTreeSet<String>, names_so_far: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str()
        && !seen.insert(reference.to_owned())
    {
        return;
    }
    let schema = contract::resolve(schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        names_so_far.insert(name.clone());
        names(property, seen, names_so_far);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            names(&schema[keyword], seen, names_so_far);
        }
    }
    for part in schema["anyOf"].as_array().into_iter().flatten() {
        names(part, seen, names_so_far);
    }
}

#[tokio::test]
async fn every_operation_with_the_name_of_a_secret_is_refused_or_masked() {
    let mut session = Session::open(&with_toolset(Launch::sandbox())).await;
    let mut unknown = Vec::new();
    let mut refused_count = 0;
    for operation in contract::operations() {
        let found = find(&mut session, json!({"query": operation.id, "limit": 1})).await;
        let is_refused = found[0]["refused"].as_str().is_some_and(|why| why.contains("secrets"));
        refused_count += usize::from(is_refused);
        if !found[0]["tool"].as_str().is_some_and(|tool| tool.starts_with("call_")) {
            continue;
        }
        let (mut seen, mut all) = (BTreeSet::new(), BTreeSet::new());
        let content = |value: &'static Value| {
            &contract::resolve(value)["content"]["application/json"]["schema"]
        };
        names(content(&operation.description["requestBody"]), &mut seen, &mut all);
        names(content(&operation.description["responses"]["200"]), &mut seen, &mut all);
        let secrets: Vec<&String> = all
            .iter()
            .filter(|name| WORDS.iter().any(|word| name.to_lowercase().contains(word)))
            .filter(|name| !PLAIN.contains(&name.as_str()))
            .collect();
        if !secrets.is_empty() && !is_refused && !MASKED.contains(&operation.id) {
            unknown.push(format!("{}: {secrets:?}", operation.id));
        }
    }
    assert_eq!(unknown, [""; 0]);
    assert_eq!(refused_count, 23);
}
