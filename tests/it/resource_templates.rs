//! Objects of the API as resources.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID, stateless};

async fn read(session: &mut Session, uri: &str) -> Value {
    session.request("resources/read", json!({"uri": uri})).await
}

#[tokio::test]
async fn each_template_is_read_with_its_tool() {
    let mut session = Session::open(&Launch::sandbox()).await;
    let listed = session.request("resources/templates/list", json!({})).await;
    let uris: Vec<&Value> = listed["result"]["resourceTemplates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|template| &template["uriTemplate"])
        .collect();
    assert_eq!(
        uris,
        [
            "polytomic://models/{model_id}",
            "polytomic://connections/{connection_id}/source",
            "polytomic://syncs/{sync_id}",
        ]
    );
    let model = session.create_model("Users", "public.users").await;
    for (uri, tool, arguments) in [
        (format!("polytomic://models/{model}"), "get_model", json!({"model_id": model})),
        (
            format!("polytomic://connections/{CONNECTION}/source"),
            "get_model_source",
            json!({"connection_id": CONNECTION}),
        ),
    ] {
        let response = read(&mut session, &uri).await;
        let contents = &response["result"]["contents"][0];
        assert_eq!(
            (&contents["uri"], &contents["mimeType"]),
            (&json!(uri), &json!("application/json"))
        );
        let text: Value = serde_json::from_str(contents["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, session.call(tool, arguments).await);
    }
    // What is stored may change, and belongs to the key.
    let params = stateless(json!({"uri": format!("polytomic://models/{model}")}));
    let result = session.request("resources/read", params).await["result"].clone();
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
    assert_eq!(result["resultType"], "complete");
}

#[tokio::test]
async fn a_uri_leads_nowhere_else() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for uri in [
        "polytomic://models/",
        "polytomic://models/../connections",
        "polytomic://models/a/b",
        "polytomic://models/..",
        "polytomic://models/%2e%2e",
        "polytomic://syncs/Nightly",
        &format!("polytomic://connections/{CONNECTION}"),
        &format!("polytomic://connections/{CONNECTION}/target"),
        &format!("POLYTOMIC://models/{UNKNOWN_ID}"),
    ] {
        let response = read(&mut session, uri).await;
        assert_eq!(response["error"]["code"], -32602, "{uri}: {response}");
    }
    assert_eq!(stub.lines().await, [""; 0]);
}

#[tokio::test]
async fn an_error_of_the_api_is_one_of_the_request() {
    let stub = Stub::start().await;
    stub.on("GET", MODEL, ResponseTemplate::new(403).set_body_json(json!({"message": "no"}))).await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let response = read(&mut session, &format!("polytomic://models/{UNKNOWN_ID}")).await;
    assert_eq!(response["error"]["code"], -32603, "{response}");
    assert_eq!(response["error"]["data"]["code"], "forbidden");
    let response = read(&mut session, &format!("polytomic://syncs/{UNKNOWN_ID}")).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    assert_eq!(response["error"]["data"]["code"], "not_found");
}

#[tokio::test]
async fn a_template_without_its_tool_is_not_there() {
    let launch = Launch::sandbox().flag("--exclude-tools").flag("get_model");
    let mut session = Session::open(&launch).await;
    let listed = session.request("resources/templates/list", json!({})).await;
    assert!(!listed.to_string().contains("models/"), "{listed}");
    let response = read(&mut session, &format!("polytomic://models/{UNKNOWN_ID}")).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    assert!(!response.to_string().contains("{model_id}"), "{response}");
}

#[tokio::test]
async fn the_values_of_a_resource_are_masked_as_those_of_its_tool() {
    let stub = Stub::start().await;
    let fields = json!([{"name": "email", "example": "jane@example.com"}]);
    let model = json!({"data": {"id": UNKNOWN_ID, "name": "Users", "fields": fields}});
    stub.json("GET", MODEL, 200, model).await;
    let launch = Launch::against(&stub.url()).flag("--mask").flag("personal");
    let mut session = Session::open(&launch).await;
    let response = read(&mut session, &format!("polytomic://models/{UNKNOWN_ID}")).await;
    assert!(response["result"].is_object(), "{response}");
    assert!(!response.to_string().contains("jane"), "{response}");
}
