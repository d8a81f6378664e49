//! What changes while the user is asked.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, Question, Step, accept};

/// Accepts a question that no longer holds: in the stateless era the new one is asked, otherwise the call fails.
async fn assert_asked_again(client: &mut Client, question: &Question, part: &str) {
    match client.decision(question, accept(json!(true))).await {
        Step::Question(new) => {
            assert_eq!(client.era, Era::Stateless);
            assert_ne!(new.message, question.message);
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
