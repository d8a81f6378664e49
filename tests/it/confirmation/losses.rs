//! What counts as a loss, and what a question says about it.

use serde_json::{Value, json};

use super::client::{Client, ERAS, Era};
use crate::support::CONNECTION;

/// A model with some additional fields and relations, and a selection of fields; its id.
async fn model(client: &Client, properties: Value) -> String {
    let mut body = json!({
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"},
    });
    body.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    let created = client.sandbox.post("/api/models", &body).await;
    assert!((200..300).contains(&created.status), "{created:?}");
    created.data()["id"].as_str().unwrap().to_owned()
}

fn added(name: &str) -> Value {
    json!({"name": name, "label": name, "type": "string"})
}

fn replacement(id: &str, properties: Value) -> Value {
    let mut arguments = json!({
        "model_id": id, "replace": true, "name": "Users", "connection_id": CONNECTION, "identifier": "id",
        "configuration": {"table": "public.users"},
    });
    arguments.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    arguments
}

#[tokio::test]
async fn a_replacement_that_loses_nothing_asks_nobody() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let labels = json!({"labels": ["crm"], "identifier": "email"});
        let id = model(&client, labels).await;
        let stored = client.sandbox.get(&format!("/api/models/{id}")).await;
        let fields = stored.data()["fields"].as_array().unwrap().iter();
        let fields: Vec<&Value> = fields.map(|field| &field["name"]).collect();
        for identifier in ["email", "id"] {
            let properties = json!({"labels": ["crm"], "identifier": identifier, "fields": fields});
            let response = client.call("update_model", replacement(&id, properties)).await;
            client.session.expect_result("update_model", &response);
        }
    }
}

#[tokio::test]
async fn dropping_the_selection_of_fields_is_a_loss_whatever_it_selects() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let id = model(&client, json!({})).await;
        for arguments in [replacement(&id, json!({})), json!({"model_id": id, "clear": ["fields"]})]
        {
            let question = client.ask("update_model", arguments).await;
            assert!(question.message.contains("It loses: the selection of fields"), "{question:?}");
            client.resolve(&question, json!({"action": "decline"})).await;
        }
    }
}

#[tokio::test]
async fn a_question_says_what_a_replacement_does() {
    for era in ERAS {
        let mut client = Client::new(era).await;
        let properties = json!({"fields": ["id", "email"], "labels": ["crm"]});
        let id = model(&client, properties).await;
        let dropped = "the selection of fields (all columns are exposed)";
        for (arguments, expected) in [
            (replacement(&id, json!({"labels": ["crm"]})), format!("It loses: {dropped}.\n")),
            (replacement(&id, json!({})), format!("It loses: {dropped}; labels (\"crm\").\n")),
            (
                replacement(&id, json!({"fields": ["id", "email"]})),
                "It loses: labels (\"crm\").\n".to_owned(),
            ),
            (json!({"model_id": id, "clear": ["fields"]}), format!("It loses: {dropped}.\n")),
        ] {
            let question = client.ask("update_model", arguments.clone()).await;
            assert!(question.message.contains(&expected), "{arguments}: {question:?}");
            client.resolve(&question, json!({"action": "decline"})).await;
        }
    }
}

#[tokio::test]
async fn definitions_that_a_list_no_longer_has_are_lost() {
    let mut client = Client::new(Era::Initialize).await;
    let other = model(&client, json!({})).await;
    let to = |field: &str| json!({"from": field, "to": {"model_id": other, "field": "id"}});
    let properties = json!({
        "additional_fields": [added("score"), added("tier")], "relations": [to("id"), to("email")],
        "labels": ["crm", "eu"], "fields": ["id", "email", "name"], "tracking_columns": ["id", "email"],
    });
    let id = model(&client, properties).await;
    let retyped = json!({"name": "tier", "label": "tier", "type": "number"});
    for (property, value, expected) in [
        ("additional_fields", json!([added("score")]), "It loses: additional_fields (\"tier\").\n"),
        (
            "additional_fields",
            json!([retyped]),
            "It loses: additional_fields (\"score\"). It gets other values of: additional_fields.\n",
        ),
        ("relations", json!([to("email")]), "It loses: relations (\"id\").\n"),
        ("relations", json!([to("email"), to("name")]), "It loses: relations (\"id\")."),
    ] {
        let question = client.ask("update_model", json!({"model_id": id, property: value})).await;
        assert!(question.message.contains(expected), "{property}: {question:?}");
        client.resolve(&question, json!({"action": "decline"})).await;
    }
    // Shorter lists of names, and other values of what stays.
    for (property, value) in [
        ("labels", json!(["crm"])),
        ("fields", json!(["id", "email"])),
        ("tracking_columns", json!(["id"])),
        ("additional_fields", json!([added("score"), retyped, added("new")])),
        (
            "relations",
            json!([to("email"), {"from": "id", "to": {"model_id": other, "field": "email"}}]),
        ),
    ] {
        let arguments = json!({"model_id": id, property: value});
        let response = client.call("update_model", arguments).await;
        client.session.expect_result("update_model", &response);
    }
}
