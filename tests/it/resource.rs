//! What introduces a client to the tools: the instructions and the guide.

use std::collections::BTreeSet;

use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use crate::support::{Launch, Session, stateless};

const GUIDE: &str = "polytomic://guides/model-configurations";
const TEXT: &str = include_str!("../../docs/model-configurations.md");

/// What the era without initialize adds to a result, and the older one does not have.
#[track_caller]
fn assert_server_info(result: &Value, stamped: bool) {
    for key in ["resultType", "ttlMs", "cacheScope", "_meta"] {
        assert_eq!(result.get(key).is_some(), stamped, "{key}: {result}");
    }
    if stamped {
        assert_eq!(result["resultType"], "complete", "{result}");
        assert!(result["ttlMs"].as_u64().unwrap() > 0, "{result}");
        assert!(["public", "private"].contains(&result["cacheScope"].as_str().unwrap()));
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"];
        assert_eq!(server, "polytomic-mcp", "{result}");
    }
}

/// A session of each era, without a key: the guide needs none.
async fn both_eras() -> [(bool, Session); 2] {
    [(false, Session::open(&Launch::bare()).await), (true, Session::start(&Launch::bare()))]
}

fn params(stamped: bool, params: Value) -> Value {
    if stamped { stateless(params) } else { params }
}

#[tokio::test]
async fn the_guide_is_listed_and_read_in_both_eras() {
    for (stamped, mut session) in both_eras().await {
        let response = session.request("resources/list", params(stamped, json!({}))).await;
        assert_server_info(&response["result"], stamped);
        let listed = response["result"]["resources"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{response}");
        assert_eq!(
            (&listed[0]["uri"], &listed[0]["mimeType"]),
            (&json!(GUIDE), &json!("text/markdown"))
        );
        for key in ["name", "title", "description"] {
            assert!(
                listed[0][key].as_str().is_some_and(|text| !text.is_empty()),
                "{key}: {response}"
            );
        }
        assert_eq!(response["result"].get("nextCursor"), None, "{response}");

        let at = params(stamped, json!({"uri": listed[0]["uri"]}));
        let response = session.request("resources/read", at).await;
        assert_server_info(&response["result"], stamped);
        let contents = json!([{"uri": GUIDE, "mimeType": "text/markdown", "text": TEXT}]);
        assert_eq!(response["result"]["contents"], contents);
    }
}

#[tokio::test]
async fn resources_are_announced_in_capabilities() {
    let mut session = Session::start(&Launch::bare());
    let begun = session.initialize("2025-11-25").await;
    let response = session.request("server/discover", stateless(json!({}))).await;
    let on_request: Vec<&str> = TOOLS
        .toolsets
        .iter()
        .flat_map(|toolset| toolset.on_request)
        .map(|entry| entry.name)
        .collect();
    for text in [&begun, &response["result"]] {
        assert!(text["capabilities"]["resources"].is_object(), "{text}");
        // All but those about tools that are not served unless a setting names them.
        let shown = text["instructions"].as_str().unwrap();
        let names_an_unserved =
            |sentence: &&str| on_request.iter().any(|name| sentence.contains(name));
        let known = TOOLS.instructions.split(". ").filter(|sentence| !names_an_unserved(sentence));
        assert_eq!(shown.split(". ").collect::<Vec<_>>(), known.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_unknown_resource_is_an_error_that_names_the_only_one() {
    let long = format!("polytomic://{}", "x".repeat(10_000));
    for (stamped, mut session) in both_eras().await {
        for uri in ["", "polytomic://guides", "file:///etc/passwd", &format!("{GUIDE}/"), &long] {
            let response =
                session.request("resources/read", params(stamped, json!({"uri": uri}))).await;
            let message = response["error"]["message"].as_str().unwrap_or_default();
            assert_eq!(response["error"]["code"], -32602, "{uri}: {response}");
            assert!(message.contains(GUIDE), "{uri}: {response}");
            assert!(message.len() < 300, "{uri}: {response}");
            let expected = if uri == long { None } else { Some(json!({ "uri": uri })) };
            assert_eq!(response["error"].get("data"), expected.as_ref(), "{response}");
        }
        for wrong in [json!({}), json!({"uri": null}), json!({"uri": 5}), json!({"url": GUIDE})] {
            let response = session.request("resources/read", params(stamped, wrong.clone())).await;
            assert_eq!(response["error"]["code"], -32602, "{wrong}: {response}");
            let message = response["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("resources/read"), "{wrong}: {response}");
        }
        // Nothing of that ends the session.
        let response =
            session.request("resources/read", params(stamped, json!({"uri": GUIDE}))).await;
        assert_eq!(response["result"]["contents"][0]["uri"], GUIDE);
    }
}

#[tokio::test]
async fn a_request_for_the_guide_must_have_a_version() {
    let mut session = Session::start(&Launch::bare());
    for method in ["resources/list", "resources/read", "resources/templates/list"] {
        let response = session.request(method, json!({"uri": GUIDE})).await;
        assert_eq!(response["error"]["code"], -32602, "{method}: {response}");
    }
}

/// The words of a text that begin as the names of tools do.
fn tool_names_in(text: &str) -> BTreeSet<&str> {
    let verbs = ["list", "get", "create", "update", "delete", "preview", "sample", "test"];
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_of_a_name(c))
        .filter(|word| word.split_once('_').is_some_and(|(verb, _)| verbs.contains(&verb)))
        .collect()
}

#[test]
fn instructions_and_guide_name_only_tools_that_exist() {
    let names: BTreeSet<&str> = TOOLS.entries().map(|entry| entry.name).collect();
    for (label, text) in [("instructions", TOOLS.instructions), ("guide", TEXT)] {
        let named = tool_names_in(text);
        assert!(named.len() >= 5, "{label} names few tools: {named:?}");
        let unknown: Vec<_> = named.difference(&names).collect();
        assert!(unknown.is_empty(), "{label}: there is no tool {unknown:?}");
    }
}

#[test]
fn the_instructions_lead_from_a_connection_to_a_model() {
    assert!(TOOLS.instructions.chars().count() <= 2_000, "{}", TOOLS.instructions.chars().count());
    assert!(TOOLS.instructions.contains(GUIDE), "the guide is not named");
    let way =
        ["list_connections", "get_model_source", "preview_model", "create_model", "sample_records"];
    let places: Vec<_> = way.iter().map(|step| TOOLS.instructions.find(step)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{way:?}: {places:?}");
}

#[test]
fn every_configuration_in_the_guide_is_json() {
    let examples: Vec<&str> =
        TEXT.split('`').skip(1).step_by(2).filter(|code| code.starts_with('{')).collect();
    assert!(examples.len() > 5, "{examples:?}");
    for example in examples {
        let read: Result<Value, _> = serde_json::from_str(example);
        assert!(read.is_ok_and(|value| value.is_object()), "{example}");
    }
}

#[tokio::test]
async fn a_cursor_of_a_list_is_refused_since_there_is_one_page() {
    let mut session = Session::open(&Launch::bare()).await;
    for (method, list) in [
        ("tools/list", "tools"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        for cursor in ["bogus", "eyJwYWdlIjoyfQ==", " ", "0"] {
            for params in [json!({"cursor": cursor}), stateless(json!({"cursor": cursor}))] {
                let response = session.request(method, params).await;
                assert_eq!(response["error"]["code"], -32602, "{method} {cursor:?}: {response}");
                let message = response["error"]["message"].as_str().unwrap();
                assert!(message.contains("cursor") && message.ends_with('.'), "{message}");
            }
        }
        for params in [json!({}), json!({"cursor": null}), json!({"cursor": ""})] {
            let response = session.request(method, params).await;
            assert!(response["result"][list].is_array(), "{method}: {response}");
            assert_eq!(response["result"].get("nextCursor"), None, "{method}: {response}");
        }
    }
}
