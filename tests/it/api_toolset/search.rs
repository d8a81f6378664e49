//! What `find_operations` finds.

use serde_json::json;

use super::{find, names, tool, with_toolset};
use crate::support::{Launch, Session, contract};

#[tokio::test]
async fn plain_words_find_the_operation_among_the_first_three() {
    let mut session = Session::open(&with_toolset(Launch::sandbox())).await;
    let questions: Vec<(&str, &str)> =
        include_str!("questions.txt").lines().map(|line| line.split_once(": ").unwrap()).collect();
    assert!(questions.len() >= 40);
    let mut missed = Vec::new();
    for (operation, question) in &questions {
        let found = names(&mut session, question, 3).await;
        if !found.contains(&(*operation).to_owned()) {
            missed.push(format!("{question} {operation} is not among {found:?}"));
        }
    }
    assert!(missed.len() * 10 <= questions.len(), "{missed:#?}");
}

#[tokio::test]
async fn every_operation_is_found_by_its_name_and_by_its_summary() {
    let mut session = Session::open(&with_toolset(Launch::sandbox())).await;
    let mut count = 0;
    for operation in contract::operations() {
        assert_eq!(names(&mut session, operation.id, 1).await, [operation.id]);
        let summary = operation.description["summary"].as_str().unwrap();
        let found = names(&mut session, summary, 3).await;
        assert!(found.contains(&operation.id.to_owned()), "{summary}: {found:?}");
        count += 1;
    }
    assert_eq!(count, 198);
}

#[tokio::test]
async fn a_found_operation_says_which_tool_calls_it() {
    let launch = Launch::sandbox().flag("--toolsets").flag("all");
    let mut session = Session::open(&launch).await;
    for operation in contract::operations() {
        let found = find(&mut session, json!({"query": operation.id, "limit": 1})).await;
        let by_name = found[0]["tool"].as_str().unwrap();
        if by_name.starts_with("call_") {
            assert_eq!(by_name, tool(&operation.method, operation.is_read_only));
        } else {
            let tool = session.request("tools/list", json!({})).await["result"]["tools"]
                .as_array()
                .unwrap()
                .iter()
                .any(|tool| tool["name"] == by_name);
            assert!(tool, "{by_name}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_called_says_why() {
    let mut session = Session::open(&with_toolset(Launch::sandbox()).flag("--read-only")).await;
    let found = find(&mut session, json!({"query": "delete_webhook", "limit": 1})).await;
    assert_eq!(found[0].get("tool"), None);
    assert_eq!(found[0]["refused"], "This server does not serve the tool that calls it.");
    let query = json!({"query": "get_model_sync_execution_log_urls", "limit": 1});
    let found = find(&mut session, query.clone()).await;
    let refused = found[0]["refused"].as_str().unwrap();
    assert!(refused.contains("--allow-secret-operations"), "{refused}");
    let launch = with_toolset(Launch::sandbox()).flag("--allow-secret-operations");
    let mut session = Session::open(&launch).await;
    assert_eq!(find(&mut session, query).await[0].get("refused"), None);
}

#[tokio::test]
async fn detail_full_has_the_arguments_and_summary_does_not() {
    let mut session = Session::open(&with_toolset(Launch::sandbox())).await;
    let summary = find(&mut session, json!({"query": "activate_bulk_sync"})).await;
    assert_eq!(summary.len(), 5);
    assert_eq!(summary[0].get("arguments"), None);
    let full = json!({"query": "activate_bulk_sync", "detail": "full", "limit": 1});
    let full = find(&mut session, full).await;
    assert_eq!(
        full[0]["arguments"],
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}, "required": ["id"]},
                "body": {"type": "object", "required": ["active"], "properties": {"active": {"type": "boolean"}}},
            },
            "required": ["path", "body"],
        })
    );
    // Nothing is known about it.
    assert_eq!(names(&mut session, "zzz", 3).await, [""; 0]);
}
