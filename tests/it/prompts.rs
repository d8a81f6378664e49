//! Prompts: which there are, and what they say with which tools.

use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use crate::support::{Launch, Session, stateless};

/// The text of a prompt.
async fn text(session: &mut Session, name: &str, arguments: Value) -> String {
    let params = json!({"name": name, "arguments": arguments});
    let response = session.request("prompts/get", params).await;
    let messages = response["result"]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{response}");
    assert_eq!(messages[0]["role"], "user");
    messages[0]["content"]["text"].as_str().unwrap().to_owned()
}

async fn names(session: &mut Session) -> Vec<String> {
    let response = session.request("prompts/list", json!({})).await;
    let prompts = response["result"]["prompts"].as_array().unwrap();
    prompts.iter().map(|prompt| prompt["name"].as_str().unwrap().to_owned()).collect()
}

fn all_tools() -> Launch {
    Launch::bare().flag("--toolsets").flag("all")
}

#[tokio::test]
async fn prompts_are_listed_and_read_in_both_eras() {
    let mut initialized = Session::open(&Launch::bare()).await;
    let mut modern = Session::start(&Launch::bare());
    let get = json!({"name": "explain-model", "arguments": {"model_id": "Users"}});
    for (is_stateless, session) in [(false, &mut initialized), (true, &mut modern)] {
        let params = |params: Value| if is_stateless { stateless(params) } else { params };
        let listed = session.request("prompts/list", params(json!({}))).await;
        let prompts = listed["result"]["prompts"].as_array().unwrap();
        assert_eq!(prompts.len(), 4, "{listed}");
        for prompt in prompts {
            for key in ["name", "title", "description"] {
                assert!(prompt[key].as_str().is_some_and(|text| !text.is_empty()), "{prompt}");
            }
            for argument in prompt["arguments"].as_array().unwrap() {
                assert!(argument["description"].as_str().is_some_and(|text| text.ends_with('.')));
                assert!(argument["required"].is_boolean(), "{argument}");
            }
        }
        assert_eq!(listed["result"].get("ttlMs").is_some(), is_stateless, "{listed}");
        let response = session.request("prompts/get", params(get.clone())).await;
        let message = &response["result"]["messages"][0]["content"];
        assert!(message["text"].as_str().unwrap().contains("the Polytomic model Users to"));
        assert_eq!(response["result"].get("resultType").is_some(), is_stateless, "{response}");
        assert_eq!(response["result"].get("_meta").is_some(), is_stateless, "{response}");
    }
}

#[tokio::test]
async fn a_prompt_names_tools_that_are_served_and_no_others() {
    let tools: Vec<&str> = TOOLS.entries().map(|entry| entry.name).collect();
    let arguments = |name: &str| match name {
        "create-model" => json!({"question": "Who left?"}),
        "review-models" => json!({}),
        _ => json!({"model_id": "Users"}),
    };
    for launch in [all_tools(), Launch::bare(), Launch::bare().flag("--read-only")] {
        let mut session = Session::open(&launch).await;
        let listed = session.request("tools/list", json!({})).await;
        let served: Vec<&str> = listed["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        for name in names(&mut session).await {
            let text = text(&mut session, &name, arguments(&name)).await;
            let mentioned: Vec<&str> = text
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|word| tools.contains(word))
                .collect();
            assert!(!mentioned.is_empty(), "{text}");
            assert!(mentioned.iter().all(|tool| served.contains(tool)), "{text}");
            assert!(!text.contains('{') && text.lines().count() < 20, "{text}");
        }
    }
}

#[tokio::test]
async fn a_prompt_without_its_tool_is_not_there() {
    let mut session = Session::open(&Launch::bare().flag("--read-only")).await;
    assert_eq!(names(&mut session).await, ["review-models", "explain-model", "plan-sync"]);
    let get = json!({"name": "create-model", "arguments": {"question": "x"}});
    let response = session.request("prompts/get", get).await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
}

#[tokio::test]
async fn paragraphs_about_absent_arguments_are_left_out() {
    let mut session = Session::open(&all_tools()).await;
    let plain = text(&mut session, "create-model", json!({"question": "Who left?"})).await;
    assert!(plain.starts_with("Create a Polytomic model for this: Who left?\n\n"), "{plain}");
    assert!(!plain.contains("Read from"), "{plain}");
    let arguments =
        json!({"question": "Who left {table}?", "table": "public.users", "columns": null});
    let with_table = text(&mut session, "create-model", arguments).await;
    assert!(
        with_table.contains("Who left {table}?\n\nRead from the table or view public.users.\n\n")
    );
    assert!(!with_table.contains("Expose only"), "{with_table}");
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let mut session = Session::open(&Launch::bare()).await;
    for (params, expected) in [
        (
            json!({"name": "create-modl"}),
            "Unknown prompt \"create-modl\"; did you mean \"create-model\"?",
        ),
        (json!({"name": "zzz"}), "Unknown prompt \"zzz\"; prompts/list returns the prompts."),
        (
            json!({"name": "create-model"}),
            "Argument \"question\" is missing: What the model has to contain, or the question behind it.",
        ),
        (
            json!({"name": "explain-model", "arguments": {"model": "x"}}),
            "Unknown argument \"model\"; expected model_id.",
        ),
        (
            json!({"name": "explain-model", "arguments": []}),
            "Argument \"model_id\" is missing: The model.",
        ),
        (
            json!({"name": "explain-model", "arguments": 5}),
            "Invalid params of prompts/get: arguments: expected an object.",
        ),
        (json!({}), "Invalid params of prompts/get: name: expected a string, got nothing."),
    ] {
        let response = session.request("prompts/get", params.clone()).await;
        assert_eq!(response["error"]["code"], -32602, "{params}: {response}");
        assert_eq!(response["error"]["message"], expected, "{params}");
    }
}
