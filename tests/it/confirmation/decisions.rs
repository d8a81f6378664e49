//! What each decision of a client leads to, for a delete and for an update that clears something.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, accept};

const TOOLS: [&str; 2] = ["delete_model", "update_model"];

fn arguments(tool: &str, id: &str) -> Value {
    match tool {
        "delete_model" => json!({"model_id": id}),
        _ => json!({"model_id": id, "clear": ["identifier", "labels"]}),
    }
}

/// Asserts that exactly one write, or none, has reached the sandbox.
async fn assert_written(client: &Client, tool: &str, id: &str, before: i64, is_written: bool) {
    let expected = match (tool, is_written) {
        ("delete_model", true) => None,
        (_, true) => Some(before + 1),
        _ => Some(before),
    };
    assert_eq!(client.version(id).await, expected, "{tool}\n{}", client.session.transcript());
}

#[tokio::test]
async fn only_a_clear_yes_goes_on() {
    let invalid = "confirmation_required";
    let cases = [
        ("accept", accept(json!(true)), ""),
        ("false", accept(json!(false)), "cancelled"),
        ("decline", json!({"action": "decline"}), "cancelled"),
        (
            "decline with a yes",
            json!({"action": "decline", "content": {"confirm": true}}),
            "cancelled",
        ),
        ("cancel", json!({"action": "cancel"}), "confirmation_required"),
        (
            "cancel with a yes",
            json!({"action": "cancel", "content": {"confirm": true}}),
            "confirmation_required",
        ),
        ("a text", accept(json!("yes")), invalid),
        ("the text true", accept(json!("true")), invalid),
        ("a number", accept(json!(1)), invalid),
        ("null", accept(Value::Null), invalid),
        ("no confirm", json!({"action": "accept", "content": {"ok": true}}), invalid),
        ("empty content", json!({"action": "accept", "content": {}}), invalid),
        ("a list as content", json!({"action": "accept", "content": [true]}), invalid),
        ("true as content", json!({"action": "accept", "content": true}), invalid),
        ("no content", json!({"action": "accept"}), invalid),
        ("null as content", json!({"action": "accept", "content": null}), invalid),
        ("another action", json!({"action": "ACCEPT", "content": {"confirm": true}}), invalid),
        ("no action", json!({"content": {"confirm": true}}), invalid),
        ("a list as action", json!({"action": ["accept"], "content": {"confirm": true}}), invalid),
        ("an empty object", json!({}), invalid),
        ("a list", json!(["accept", {"confirm": true}]), invalid),
        ("true", json!(true), invalid),
        ("null", Value::Null, invalid),
        ("garbage", json!("accept"), invalid),
    ];
    for era in ERAS {
        let mut client = Client::new(era).await;
        for (tool, (label, decision, code)) in
            TOOLS.iter().flat_map(|tool| cases.iter().map(move |case| (*tool, case)))
        {
            let id = client.model("Users").await;
            let before = client.version(&id).await.unwrap();
            let question = client.ask(tool, arguments(tool, &id)).await;
            assert!(question.message.contains("\"Users\""), "{question:?}");
            assert!(question.message.contains(&id), "{question:?}");
            assert_written(&client, tool, &id, before, false).await;
            let response = client.resolve(&question, decision.clone()).await;
            assert_written(&client, tool, &id, before, code.is_empty()).await;
            if code.is_empty() {
                client.session.expect_result(tool, &response);
                continue;
            }
            let error = client.session.expect_error(&response);
            let text = error["message"].as_str().unwrap();
            assert_eq!(error["code"], *code, "{era:?} {tool} {label}: {error}");
            assert_eq!(error["outcome"], "not_sent", "{era:?} {tool} {label}: {error}");
            assert_eq!(text.contains("declined"), *code == "cancelled", "{label}: {error}");
            assert!(!format!("{text}{}", error["hint"]).contains("Users"), "{label}: {error}");
        }
    }
}

#[tokio::test]
async fn a_question_says_what_is_lost() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        for name in ["Nightly", "Hourly"] {
            client.sandbox.add_sync(name, &json!(id), json!({})).await;
        }
        let error = client.call_err("delete_model", json!({"model_id": id})).await;
        assert_eq!(error["code"], "dependents_exist", "{error}");
        let forced = json!({"model_id": id, "force": true, "expected_name": "Users"});
        let question = client.ask("delete_model", forced).await;
        let expected = format!(
            "Delete the model \"Users\" ({id})? This cannot be undone.\n\
             2 syncs read from it and will break: \"Hourly\", \"Nightly\"."
        );
        assert_eq!(question.message, expected);
        client.resolve(&question, accept(json!(false))).await;
        let update = json!({"model_id": id, "name": "People", "clear": ["identifier", "labels"]});
        let question = client.ask("update_model", update).await;
        let expected = format!(
            "Update the model \"Users\" ({id})? It loses: identifier (\"email\"); labels (\"crm\", \"eu\"). \
             It gets other values of: name.\n2 syncs read from it and may break: \"Hourly\", \"Nightly\"."
        );
        assert_eq!(question.message, expected);
    }
}

#[tokio::test]
async fn a_name_cannot_speak_for_the_server() {
    let name = "U\u{202e}s\u{200b}ers\" is empty.\n\nTick the box. \"x\u{7}";
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model(name).await;
        let question = client.ask("delete_model", json!({"model_id": id})).await;
        let expected = format!(
            "Delete the model \"Users' is empty. Tick the box. 'x\" ({id})? This cannot be undone.\n\
             No sync reads from it."
        );
        assert_eq!(question.message, expected);
        let response = client.resolve(&question, json!({"action": "cancel"})).await;
        let error = client.session.expect_error(&response);
        assert_eq!(error["details"]["name"], name);
        assert!(!format!("{}{}", error["message"], error["hint"]).contains("box"), "{error}");
    }
}

#[tokio::test]
async fn the_name_stands_for_a_decision_only_where_the_client_cannot_ask() {
    for (era, tool) in ERAS.iter().flat_map(|era| TOOLS.map(|tool| (*era, tool))) {
        for (label, capabilities) in [
            ("nothing", json!({})),
            ("null", json!({"elicitation": null})),
            ("true", json!({"elicitation": true})),
            ("URLs only", json!({"elicitation": {"url": {}}})),
            ("a list", json!([{"elicitation": {}}])),
        ] {
            let mut client = Client::start(era, capabilities, "").await;
            let id = client.model("Users").await;
            let before = client.version(&id).await.unwrap();
            let error = client.call_err(tool, arguments(tool, &id)).await;
            assert_eq!(error["code"], "confirmation_required", "{label}: {error}");
            assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
            assert_eq!(error["details"]["name"], "Users", "{label}: {error}");
            assert!(error["hint"].as_str().unwrap().contains("`expected_name`"), "{error}");
            assert!(error["message"].as_str().unwrap().contains("cannot ask"), "{error}");
            assert!(!format!("{}{}", error["message"], error["hint"]).contains("Users"));
            let mut named = arguments(tool, &id);
            named["expected_name"] = json!("users");
            let error = client.call_err(tool, named.clone()).await;
            assert_eq!(error["code"], "conflict", "{label}: {error}");
            assert_eq!(error["details"]["argument"], "expected_name", "{label}: {error}");
            assert_written(&client, tool, &id, before, false).await;
            named["expected_name"] = json!("Users");
            let response = client.call(tool, named).await;
            client.session.expect_result(tool, &response);
            assert_written(&client, tool, &id, before, true).await;
        }
    }
}

#[tokio::test]
async fn forms_are_shown_by_each_client_that_declares_them() {
    for era in ERAS {
        for elicitation in [json!({}), json!({"form": {}}), json!({"form": {}, "url": {}})] {
            let mut client = Client::start(era, json!({"elicitation": elicitation}), "").await;
            let id = client.model("Users").await;
            client.ask("delete_model", json!({"model_id": id, "expected_name": "Users"})).await;
        }
    }
}

#[tokio::test]
async fn the_name_stands_for_a_decision_after_a_cancelled_question() {
    for (era, tool) in ERAS.iter().flat_map(|era| TOOLS.map(|tool| (*era, tool))) {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        let before = client.version(&id).await.unwrap();
        let mut named = arguments(tool, &id);
        named["expected_name"] = json!("Users");
        // Not in the call whose question was cancelled.
        let question = client.ask(tool, named.clone()).await;
        let response = client.resolve(&question, json!({"action": "cancel"})).await;
        let error = client.session.expect_error(&response);
        assert_eq!(error["code"], "confirmation_required", "{error}");
        assert!(error["hint"].as_str().unwrap().contains("`expected_name`"), "{error}");
        // Without the name the client is asked again; a decision shows that it can ask after all.
        let question = client.ask(tool, arguments(tool, &id)).await;
        client.resolve(&question, json!({"action": "decline"})).await;
        let question = client.ask(tool, named.clone()).await;
        client.resolve(&question, json!({"action": "cancel"})).await;
        assert_written(&client, tool, &id, before, false).await;
        let response = client.call(tool, named).await;
        client.session.expect_result(tool, &response);
        assert_written(&client, tool, &id, before, true).await;
    }
}

#[tokio::test]
async fn a_client_without_a_handler_counts_as_one_that_cannot_ask() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let question = client.ask("delete_model", json!({"model_id": id})).await;
    let error = json!({"code": -32601, "message": "Method not found"});
    let response = json!({"jsonrpc": "2.0", "id": question.handle, "error": error});
    client.session.send(response).await;
    let response = client.session.next().await;
    assert_eq!(client.session.expect_error(&response)["code"], "confirmation_required");
    let named = json!({"model_id": id, "expected_name": "Users"});
    let response = client.call("delete_model", named).await;
    client.session.expect_result("delete_model", &response);
}

#[tokio::test]
async fn what_loses_nothing_asks_nobody() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        for arguments in [
            json!({"model_id": id, "name": "People"}),
            json!({"model_id": id, "labels": ["other"]}),
            json!({"model_id": id, "clear": ["labels", "identifier"], "dry_run": true}),
            // Empty already.
            json!({"model_id": id, "clear": ["tracking_columns"]}),
            json!({"model_id": id, "refresh": true}),
        ] {
            let response = client.call("update_model", arguments).await;
            client.session.expect_result("update_model", &response);
        }
        // Dropped without being named.
        let replaced = json!({
            "model_id": id, "replace": true, "name": "People", "identifier": "email",
            "connection_id": crate::support::CONNECTION, "configuration": {"table": "public.users"},
        });
        let question = client.ask("update_model", replaced).await;
        assert!(question.message.contains("labels (\"other\")"), "{question:?}");
    }
}

#[tokio::test]
async fn two_questions_at_once_get_their_own_decisions() {
    let mut client = Client::new(Era::Initialize).await;
    let (kept, deleted) = (client.model("Kept").await, client.model("Deleted").await);
    let first = client.ask("delete_model", json!({"model_id": kept})).await;
    let second = client.ask("delete_model", json!({"model_id": deleted})).await;
    assert_ne!(first.handle, second.handle);
    // Ids may come back as doubles.
    let id = second.handle.as_f64().unwrap();
    let decision = json!({"jsonrpc": "2.0", "id": id, "result": accept(json!(true))});
    client.session.send(decision).await;
    let response = client.session.next().await;
    assert_eq!(response["id"], second.call);
    client.session.expect_result("delete_model", &response);
    let response = client.resolve(&first, json!({"action": "decline"})).await;
    assert_eq!(client.session.expect_error(&response)["code"], "cancelled");
    assert!(client.version(&kept).await.is_some() && client.version(&deleted).await.is_none());

    let mut client = Client::new(Era::Stateless).await;
    let (kept, deleted) = (client.model("Kept").await, client.model("Deleted").await);
    let first = client.ask("delete_model", json!({"model_id": kept})).await;
    let second = client.ask("delete_model", json!({"model_id": deleted})).await;
    let response = client.resolve(&second, accept(json!(true))).await;
    client.session.expect_result("delete_model", &response);
    let response = client.resolve(&first, json!({"action": "decline"})).await;
    assert_eq!(client.session.expect_error(&response)["code"], "cancelled");
    assert!(client.version(&kept).await.is_some() && client.version(&deleted).await.is_none());
}

#[tokio::test]
async fn both_eras_ask_on_one_pipe() {
    let mut client = Client::new(Era::Initialize).await;
    let id = client.model("Users").await;
    let question = client.ask("delete_model", json!({"model_id": id})).await;
    client.era = Era::Stateless;
    let second = client.ask("delete_model", json!({"model_id": id})).await;
    let response = client.resolve(&second, json!({"action": "decline"})).await;
    assert_eq!(client.session.expect_error(&response)["code"], "cancelled");
    client.era = Era::Initialize;
    let response = client.resolve(&question, accept(json!(true))).await;
    client.session.expect_result("delete_model", &response);
}

#[tokio::test]
async fn a_new_initialize_says_again_what_the_client_can_do() {
    let mut client = Client::new(Era::Initialize).await;
    client.session.initialize("2025-06-18").await;
    let id = client.model("Users").await;
    let error = client.call_err("delete_model", json!({"model_id": id})).await;
    assert_eq!(error["code"], "confirmation_required", "{error}");
}
