//! Whose key a call uses, and what an error says about it.

use std::sync::Arc;

use polytomic_mcp::registry::{CallSignals, ErrorCode, Outcome};
use serde_json::json;

use super::*;
use crate::support::{Launch, Server};

const ORGANIZATION: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";

#[tokio::test]
async fn each_call_uses_the_key_of_its_request() {
    let stub = stub_with_connections().await;
    let registry = shared(&stub);
    for (key, organization, expected) in [
        (KEY_OF_ADA, None, "Bearer key-of-ada-4711"),
        (KEY_OF_BOB, None, "Bearer key-of-bob-4712"),
        ("k", Some(ORGANIZATION), "Basic MjQ4ZGY0YjctYWE3MC00N2I4LWEwMzYtMzNhYzQ0N2U2NjhkOms="),
        (KEY_OF_ADA, None, "Bearer key-of-ada-4711"),
    ] {
        let account = registry.account(credential(key, organization)).await.unwrap();
        let signals = CallSignals { account: Some(account), ..CallSignals::default() };
        run(&registry, "list_connections", json!({}), signals).await.unwrap();
        let requests = stub.requests().await;
        assert_eq!(requests.last().unwrap().headers["authorization"], expected);
    }
}

#[tokio::test]
async fn equal_credentials_have_one_account() {
    let stub = Stub::start().await;
    let registry = shared(&stub);
    let accounts = (0..20).map(|_| account(&registry, KEY_OF_ADA));
    let accounts = futures_util::future::join_all(accounts).await;
    assert!(accounts.iter().all(|account| Arc::ptr_eq(account, &accounts[0])));
    let in_organization = registry.account(credential(KEY_OF_ADA, Some(ORGANIZATION))).await;
    assert!(!Arc::ptr_eq(&in_organization.unwrap(), &accounts[0]), "the organization is ignored");
    assert!(!format!("{:?}", accounts[0]).contains("4711"));
}

#[tokio::test]
async fn a_call_without_a_key_says_which_header_to_send() {
    let stub = stub_with_connections().await;
    let error = call(&shared(&stub), None, "list_connections", json!({})).await.unwrap_err();
    assert_eq!((error.code, error.outcome), (ErrorCode::NotConfigured, Outcome::NotSent));
    for part in ["X-Polytomic-Api-Key", "X-Polytomic-Organization-Id"] {
        assert!(error.hint.contains(part), "{}", error.hint);
    }
    assert!(!error.hint.contains("POLYTOMIC_"), "{}", error.hint);
    assert!(stub.requests().await.is_empty());
}

#[tokio::test]
async fn a_server_with_a_key_takes_none_from_requests() {
    let stub = stub_with_connections().await;
    let registry = with_key(&stub);
    let error = registry.account(credential(KEY_OF_ADA, None)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotConfigured);
    assert!(error.hint.contains("--keys-from request"), "{}", error.hint);
    call(&registry, None, "list_connections", json!({})).await.unwrap();
}

#[tokio::test]
async fn an_error_about_the_key_names_the_header() {
    for (status, code) in [(401, ErrorCode::Unauthorized), (403, ErrorCode::Forbidden)] {
        let stub = Stub::start().await;
        let body = json!({"error": {"message": "no"}});
        stub.json("GET", "/api/connections", status, body).await;
        let registry = shared(&stub);
        let account = registry.account(credential("\"key-4711\"", Some(ORGANIZATION))).await;
        let signals = CallSignals { account: Some(account.unwrap()), ..CallSignals::default() };
        let error = run(&registry, "list_connections", json!({}), signals).await.unwrap_err();
        assert_eq!(error.code, code);
        assert!(
            !error.hint.contains("POLYTOMIC_") && !error.hint.contains("4711"),
            "{}",
            error.hint
        );
        if status == 401 {
            assert!(
                error.hint.starts_with(
                    "The header X-Polytomic-Api-Key stands in quotes, which are sent as a part of the key: remove \
                     them. The header X-Polytomic-Organization-Id is set as well"
                ),
                "{}",
                error.hint
            );
        }
    }
}

#[tokio::test]
async fn the_sandbox_and_keys_from_requests_exclude_each_other() {
    let launch = Launch::bare().flags(["rpc", "--listen", "127.0.0.1:0", "--sandbox"]);
    for launch in [
        launch.clone().flags(["--keys-from", "request"]),
        launch.variable("POLYTOMIC_KEYS_FROM", "request"),
    ] {
        let (status, stdout, stderr) = launch.output().await;
        assert_eq!((status, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains("hint: ") && stderr.contains("sandbox --keys"), "{stderr}");
    }
}

#[tokio::test]
async fn no_key_in_the_settings_is_needed_and_one_that_is_there_is_not_used() {
    let stub = stub_with_connections().await;
    let launch = Launch::bare()
        .variable("POLYTOMIC_BASE_URL", &stub.url())
        .variable("POLYTOMIC_KEYS_FROM", "request");
    for (launch, is_warned) in [
        (launch.clone(), false),
        (launch.variable("POLYTOMIC_API_KEY", "key-of-settings-4710"), true),
    ] {
        let server = Server::start(launch).await;
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "list_connections"});
        let (_, response) = server.send(&request.to_string()).await;
        let error = &response["error"]["data"];
        assert_eq!(error["code"], "not_configured", "{response}");
        assert!(error["hint"].as_str().unwrap().contains("X-Polytomic-Api-Key"), "{response}");
        let stderr = server.stderr_to_end().await;
        let warning = "POLYTOMIC_API_KEY has no effect: each request brings its own key";
        assert_eq!(stderr.contains(warning), is_warned, "{stderr}");
        assert!(is_warned || stderr.is_empty(), "{stderr}");
    }
    assert!(stub.requests().await.is_empty());
}
