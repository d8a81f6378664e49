//! What changes while the user is asked.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, Question, Step, accept};

/// Accepts a question that no longer holds: in the stateless era the new one is asked, otherwise the call fails.
async fn assert_asked_again(client: &mut Client, question: &Question, part: &str) {
    match client.decision(question, accept(json!(true))).await {
        Step::Question(new) => {
            assert_eq!(client.era, Era::Stateless);
            assert!(new.message.contains(part), "{new:?}");
        }
        Step::Done(response) => {
            assert_eq!(client.era, Era::Initialize);
            let error = client.session.expect_error(&response);
            assert_eq!(error["code"], "conflict", "{error}");
            assert_eq!(error["outcome"], "not_sent", "{error}");
        }
    }
}

async fn rename(client: &Client, id: &str, name: &str) {
    let path = format!("/api/models/{id}");
    let stored = client.sandbox.get(&path).await.data().clone();
    let body = json!({
        "name": name, "connection_id": stored["connection_id"], "configuration": stored["configuration"],
        "identifier": stored["identifier"], "labels": ["crm", "eu"],
    });
    assert_eq!(client.sandbox.put(&path, &body).await.status, 200);
}

#[tokio::test]
async fn a_model_with_another_name_is_not_what_the_user_agreed_to_delete() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        let question = client.ask("delete_model", json!({"model_id": id})).await;
        rename(&client, &id, "Payroll").await;
        assert_asked_again(&mut client, &question, "Payroll").await;
        assert!(client.version(&id).await.is_some());
    }
}

#[tokio::test]
async fn a_new_sync_is_not_what_the_user_agreed_to_break() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        let arguments: Value = json!({"model_id": id, "force": true});
        let question = client.ask("delete_model", arguments).await;
        client.sandbox.add_sync("Nightly", &json!(id), json!({})).await;
        assert_asked_again(&mut client, &question, "Nightly").await;
        assert!(client.version(&id).await.is_some());
    }
}

#[tokio::test]
async fn an_update_is_not_written_over_another_one() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        let arguments = json!({"model_id": id, "clear": ["labels"]});
        let question = client.ask("update_model", arguments).await;
        rename(&client, &id, "Payroll").await;
        let version = client.version(&id).await;
        assert_asked_again(&mut client, &question, "Payroll").await;
        assert_eq!(client.version(&id).await, version);
    }
}

/// Writes a model of the tests with other properties.
async fn rewrite(client: &Client, id: &str, changes: Value) {
    let path = format!("/api/models/{id}");
    let stored = client.sandbox.get(&path).await.data().clone();
    let labels: Vec<&Value> =
        stored["labels"].as_array().unwrap().iter().map(|label| &label["name"]).collect();
    let mut body = json!({
        "name": stored["name"], "connection_id": stored["connection_id"], "labels": labels,
        "configuration": stored["configuration"], "identifier": stored["identifier"],
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let response = client.sandbox.put(&path, &body).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_decision_covers_what_the_question_only_counts() {
    let labels: Vec<String> = (0..12).map(|number| format!("l{number:02}")).collect();
    let mut more = labels.clone();
    more[11] = "IMPORTANT".to_owned();
    for (era, changes) in ERAS.iter().flat_map(|era| {
        // The same text, another identifier, and nothing about what is asked.
        [json!({"labels": more}), json!({"identifier": "id"}), json!({"name": "Users"})]
            .map(|changes| (*era, changes))
    }) {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        rewrite(&client, &id, json!({"labels": labels})).await;
        let arguments = json!({"model_id": id, "clear": ["labels"]});
        let question = client.ask("update_model", arguments).await;
        assert!(question.message.contains("and 2 more"), "{question:?}");
        rewrite(&client, &id, changes).await;
        let version = client.version(&id).await;
        assert_asked_again(&mut client, &question, "Users").await;
        assert_eq!(client.version(&id).await, version);
    }
}

#[tokio::test]
async fn a_delete_covers_the_source_that_was_there() {
    for era in ERAS {
        for force in [false, true] {
            let mut client = Client::new(era).await;
            let id = client.model("Users").await;
            let arguments = json!({"model_id": id, "force": force});
            let question = client.ask("delete_model", arguments).await;
            let orders = json!({"configuration": {"table": "public.orders"}, "identifier": "id"});
            rewrite(&client, &id, orders).await;
            assert_asked_again(&mut client, &question, "Users").await;
            assert!(client.version(&id).await.is_some());
        }
    }
}

#[tokio::test]
async fn a_new_sync_is_not_what_the_user_agreed_to_change() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = client.model("Users").await;
        let version = client.version(&id).await;
        let arguments = json!({"model_id": id, "clear": ["labels"]});
        let question = client.ask("update_model", arguments).await;
        client.sandbox.add_sync("Nightly", &json!(id), json!({})).await;
        assert_asked_again(&mut client, &question, "Nightly").await;
        assert_eq!(client.version(&id).await, version);
    }
}
