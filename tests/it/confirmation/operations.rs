//! Operations that are called by their names: what the user is asked, and what a name stands for.

use serde_json::json;

use super::client::{Client, ERAS, Era, Step};
use crate::support::{CONNECTION, KEY, Launch, Session, Stub};

const FLAGS: [&str; 2] = ["--toolsets", "all"];

fn delete() -> serde_json::Value {
    json!({"operation": "delete_connection", "path": {"id": CONNECTION}, "query": {"force": true}})
}

#[tokio::test]
async fn a_delete_names_its_object_and_happens_only_after_a_yes() {
    for era in ERAS {
        let mut client = Client::with_flags(era, json!({"elicitation": {}}), &FLAGS).await;
        let question = client.ask("call_delete_operation", delete()).await;
        let expected = format!(
            "Delete a connection, with force also what depends on it: \"SQLite (sandbox)\"? This calls delete_connection with id \
             \"{CONNECTION}\" and force true. What it ends, deletes or overwrites is lost."
        );
        assert!(question.message.contains(&expected), "{question:?}");
        let response = client.resolve(&question, json!({"action": "decline"})).await;
        let error = client.session.expect_error(&response);
        assert_eq!((&error["code"], &error["outcome"]), (&json!("cancelled"), &json!("not_sent")));
        let path = format!("/api/connections/{CONNECTION}");
        assert_eq!(client.sandbox.get(&path).await.status, 200);
        let question = client.ask("call_delete_operation", delete()).await;
        let yes = json!({"action": "accept", "content": {"confirm": true}});
        let response = client.resolve(&question, yes).await;
        client.session.expect_result("call_delete_operation", &response);
        assert_eq!(client.sandbox.get(&path).await.status, 404);
    }
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_not_deleted() {
    for era in ERAS {
        let mut client = Client::with_flags(era, json!({"elicitation": {}}), &FLAGS).await;
        let question = client.ask("call_delete_operation", delete()).await;
        let path = format!("/api/connections/{CONNECTION}");
        let stored = client.sandbox.get(&path).await.data().clone();
        let renamed = json!({"name": "Production", "configuration": stored["configuration"]});
        assert_eq!(client.sandbox.put(&path, &renamed).await.status, 200);
        let yes = json!({"action": "accept", "content": {"confirm": true}});
        match client.decision(&question, yes).await {
            Step::Done(response) => {
                assert_eq!(client.session.expect_error(&response)["code"], "conflict");
            }
            // The stateless era asks again.
            Step::Question(question) => assert!(question.message.contains("\"Production\"")),
        }
        assert_eq!(client.sandbox.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn what_runs_meanwhile_does_not_keep_it_from_being_stopped() {
    let stub = Stub::start().await;
    let path = format!("/api/bulk/syncs/{CONNECTION}");
    let counts =
        (1..9).map(|n| json!({"data": {"name": "Nightly", "records": n, "updated_at": n}}));
    stub.sequence("GET", &path, counts.collect()).await;
    stub.json("POST", &format!("{path}/cancel"), 200, json!({"data": {}})).await;
    let launch = Launch::unconfigured()
        .variable("POLYTOMIC_BASE_URL", &stub.url())
        .variable("POLYTOMIC_API_KEY", KEY)
        .flags(FLAGS);
    for era in ERAS {
        let mut client = Client::over(era, &launch).await;
        let call = json!({"operation": "cancel_bulk_sync", "path": {"id": CONNECTION}});
        let question = client.ask("call_write_operation", call).await;
        assert!(question.message.contains("\"Nightly\""), "{question:?}");
        let yes = json!({"action": "accept", "content": {"confirm": true}});
        let response = client.resolve(&question, yes).await;
        client.session.expect_result("call_write_operation", &response);
    }
}

#[tokio::test]
async fn a_list_of_names_is_shown_and_a_setting_is_compared() {
    let stub = Stub::start().await;
    let path = "/api/notifications/global-error-subscribers";
    let states = ["a@x.example", "b@x.example"].map(|email| json!({"data": {"emails": [email]}}));
    stub.sequence("GET", path, states.to_vec()).await;
    let launch = Launch::unconfigured()
        .variable("POLYTOMIC_BASE_URL", &stub.url())
        .variable("POLYTOMIC_API_KEY", KEY)
        .flags(FLAGS);
    let mut client = Client::over(Era::Initialize, &launch).await;
    let call =
        json!({"operation": "set_global_error_subscribers", "body": {"emails": ["new@x.example"]}});
    let question = client.ask("call_write_operation", call).await;
    assert!(question.message.contains("It sends emails \"new@x.example\"."), "{question:?}");
    let yes = json!({"action": "accept", "content": {"confirm": true}});
    let response = client.resolve(&question, yes).await;
    assert_eq!(client.session.expect_error(&response)["code"], "conflict");
    assert_eq!(stub.lines().await, [format!("GET {path}"), format!("GET {path}")]);
}

#[tokio::test]
async fn with_confirm_writes_a_question_shows_what_is_sent() {
    for era in ERAS {
        let flags = [&FLAGS[..], &["--confirm", "writes"]].concat();
        let mut client = Client::with_flags(era, json!({"elicitation": {}}), &flags).await;
        let model = client.model("Users").await;
        let target =
            json!({"target": {"connection_id": crate::support::TARGET, "object": "people"}});
        let sync = client.sandbox.add_sync("Nightly", &json!(model), target).await;
        let call = json!({"operation": "activate_model_sync", "path": {"id": sync}, "body": {"active": false}});
        let question = client.ask("call_write_operation", call).await;
        let expected = format!(
            "Turn a model sync on or off: \"Nightly\"? This calls activate_model_sync with id {sync}. It sends active false."
        );
        assert!(question.message.contains(&expected), "{question:?}");
    }
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_present_name_is_enough() {
    let launch = Launch::unconfigured().flag("--sandbox").flags(FLAGS);
    let mut session = Session::open(&launch).await;
    let error = session.call_err("call_delete_operation", delete()).await;
    assert_eq!(error["code"], "confirmation_required");
    assert_eq!(error["details"]["name"], "SQLite (sandbox)");
    let named = |name: &str| {
        let mut call = delete();
        call["expected_name"] = json!(name);
        call
    };
    let error = session.call_err("call_delete_operation", named("Production")).await;
    assert_eq!(error["code"], "conflict", "{error}");
    session.call("call_delete_operation", named("SQLite (sandbox)")).await;
    let nameless = json!({"operation": "update_record_logging", "body": {"enabled": true}, "expected_name": "x"});
    let error = session.call_err("call_write_operation", nameless).await;
    assert_eq!(error["code"], "conflict", "{error}");
    // What has no name cannot be confirmed so.
    let call = json!({"operation": "delete_role", "path": {"id": CONNECTION}});
    let error = session.call_err("call_delete_operation", call).await;
    assert_eq!(error["code"], "confirmation_required");
    assert!(error["hint"].as_str().unwrap().contains("--confirm never"), "{error}");
}
