//! No result and no error names a tool that is not served.

use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

use crate::support::{CONNECTION, JOB_ID, Launch, Session, Stub, UNKNOWN_ID, definition, job};

/// Arguments with which a tool sends its request.
fn arguments(tool: &str) -> Value {
    match tool {
        "preview_model" | "create_model" => definition(),
        "update_model" => {
            json!({"model_id": UNKNOWN_ID, "name": "People", "expected_name": "Users"})
        }
        "get_model" | "sample_records" => json!({"model_id": UNKNOWN_ID}),
        "delete_model" => json!({"model_id": UNKNOWN_ID, "expected_name": "Users"}),
        "get_model_source_fields" | "get_enrichment_fields" => {
            json!({"connection_id": CONNECTION, "configuration": {"table": "t"}})
        }
        "get_model_source" | "get_enrichment_source" | "get_connection" | "test_connection" => {
            json!({"connection_id": CONNECTION})
        }
        "get_connection_type_schema" => json!({"connection_type": "mysql"}),
        "get_model_sync" => json!({"sync_id": UNKNOWN_ID}),
        "get_job" => json!({"type": "createmodel", "job_id": JOB_ID}),
        _ => json!({}),
    }
}

/// An API that responds to every request with this.
async fn api(status: u16, body: Value) -> Stub {
    let stub = Stub::start().await;
    let respond = move |_: &Request| ResponseTemplate::new(status).set_body_json(&body);
    stub.respond_to_others(respond).await;
    stub
}

/// APIs that let calls fail in different ways, leave their jobs unfinished, or return more than fits.
async fn apis() -> Vec<Stub> {
    let fields = vec![json!({"name": "a field with a name", "type": "string"}); 200];
    let model = json!({"id": UNKNOWN_ID, "name": "Users", "version": 1, "fields": fields});
    let mut apis = vec![];
    for (status, body) in [
        (200, json!({"data": model})),
        (200, json!({"data": null, "job": job("createmodel", "running", Value::Null)})),
        (200, json!({"data": job("createmodel", "running", Value::Null)})),
        (200, json!({"data": job("createmodel", "stopped", Value::Null)})),
        (200, json!({"data": 5})),
        (404, json!({"message": "gone"})),
        (409, json!({"message": "busy"})),
        (422, json!({"message": "no"})),
        (403, json!({"message": "no"})),
    ] {
        apis.push(api(status, body).await);
    }
    // Reading works, and writing ends otherwise.
    for (status, body) in [
        (200, json!({"data": null, "job": job("updatemodel", "running", Value::Null)})),
        (200, json!({"data": 5})),
        (422, json!({"message": "no"})),
    ] {
        let stub = api(status, body).await;
        let at = format!("/api/models/{UNKNOWN_ID}");
        stub.json("GET", &at, 200, json!({"data": model})).await;
        stub.json(
            "GET",
            "/api/syncs",
            200,
            json!({"data": [{"id": UNKNOWN_ID, "name": "s", "model_ids": [UNKNOWN_ID]}]}),
        )
        .await;
        apis.push(stub);
    }
    apis
}

fn names(text: &str, tool: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == tool)
}

#[tokio::test]
async fn no_result_and_no_error_names_a_hidden_tool() {
    let apis = apis().await;
    let with_one_hidden = async |hidden: &str| {
        for api in &apis {
            let launch = Launch::against(&api.url()).flag("--exclude-tools").flag(hidden);
            let mut session = Session::open(&launch).await;
            for entry in TOOLS.entries().filter(|entry| entry.name != hidden) {
                let mut arguments = arguments(entry.name);
                arguments["max_bytes"] = json!(4_000);
                if entry.job {
                    arguments["wait_seconds"] = json!(0);
                }
                let params = json!({"name": entry.name, "arguments": arguments});
                let response = session.request("tools/call", params).await;
                assert!(response["result"].is_object(), "{response}");
                let text = response["result"].to_string();
                let of_api = text.contains("http_status") || !text.contains("invalid_argument");
                assert!(of_api, "{}: {text}", entry.name);
                assert!(!names(&text, hidden), "{} without {hidden}: {text}", entry.name);
            }
        }
    };
    let calls = TOOLS.entries().map(|entry| with_one_hidden(entry.name));
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn an_unfinished_job_without_get_job_says_so() {
    let api = api(200, json!({"data": null, "job": job("createmodel", "running", Value::Null)}));
    let api = api.await;
    for flags in [
        &["--exclude-tools", "get_job"][..],
        &["--toolsets", "models"],
        &["--tools", "create_model"],
    ] {
        let launch = Launch::against(&api.url());
        let launch = flags.iter().fold(launch, |launch, flag| launch.flag(flag));
        let mut session = Session::open(&launch).await;
        let arguments = json!({"async": true, "wait_seconds": 0});
        let arguments = merged(definition(), &arguments);
        let result = session.call("create_model", arguments.clone()).await;
        assert_eq!(result["job"]["job_id"], JOB_ID, "{flags:?}: {result}");
        assert_eq!(result.get("next"), None, "{flags:?}: {result}");
        assert!(result["notice"].as_str().unwrap().contains("goes on"), "{flags:?}: {result}");
        // The status shows scripts that the job is not done.
        let launch = launch.flag("call").flag("create_model").flag("--output").flag("json");
        let call = launch.flag("--json").flag(&arguments.to_string());
        let (status, stdout, stderr) = call.output().await;
        assert_eq!(status, 1, "{flags:?}: {stderr}");
        assert!(stdout.contains(JOB_ID) && stderr.contains("not done yet"), "{stdout} {stderr}");
        assert!(!names(&stderr, "get_job"), "{flags:?}: {stderr}");
    }
}

fn merged(mut arguments: Value, others: &Value) -> Value {
    for (name, value) in others.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    arguments
}
