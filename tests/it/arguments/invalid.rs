//! Arguments that violate the schema: every one is named, and nothing is sent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixtures::{Part, Tool, parent, tools, valid_value};
use crate::support::{CONNECTION, Launch, Session, Stub, UNKNOWN_ID};

/// Arguments that are parsed as UUIDs before anything is sent.
const ID_ARGUMENTS: [&str; 4] = ["connection_id", "job_id", "model_id", "sync_id"];

/// Values that each violate one rule of a schema.
fn invalid_values(part: &Part) -> Vec<(&'static str, Value)> {
    let schema = &part.schema;
    let mut values = vec![match part.kind() {
        "string" => ("another type", json!(5)),
        "integer" => ("another type", json!("soon")),
        "boolean" => ("another type", json!("maybe")),
        "array" => ("another type", json!({"a": 1})),
        _ => ("another type", json!([1])),
    }];
    if part.required {
        values.push(("null", Value::Null));
    }
    let limit = |name: &str| schema[name].as_u64();
    let length = |n: u64| json!("x".repeat(usize::try_from(n).unwrap()));
    let items = |n: u64| Value::from_iter((0..n).map(|_| valid_value("", &schema["items"])));
    for (name, value) in [
        ("minimum", limit("minimum").map(|n| json!(i64::try_from(n).unwrap() - 1))),
        ("maximum", limit("maximum").map(|n| json!(n + 1))),
        // An empty optional argument is absent.
        (
            "minLength",
            limit("minLength").filter(|n| part.required || *n > 1).map(|n| length(n - 1)),
        ),
        ("maxLength", limit("maxLength").map(|n| length(n + 1))),
        ("minItems", limit("minItems").map(|n| items(n - 1))),
        ("maxItems", limit("maxItems").map(|n| items(n + 1))),
        ("enum", schema["enum"].is_array().then(|| json!("nonsense"))),
    ] {
        values.extend(value.map(|value| (name, value)));
    }
    if part.kind() == "integer" {
        values.push(("a fraction", json!(10.5)));
    }
    if ID_ARGUMENTS.contains(&part.name.as_str()) {
        for id in ["x", "../../me", "00000000-0000-4000-8000-00000000000"] {
            values.push(("not a UUID", json!(id)));
        }
        values.extend(part.required.then(|| ("no id", json!(""))));
    }
    values
}

#[tokio::test]
async fn an_argument_that_violates_the_schema_is_named_and_not_sent() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut counts = BTreeMap::new();
    for tool in tools(&mut session).await {
        for (call, part) in tool.parts() {
            for (label, value) in invalid_values(&part) {
                let mut call = call.clone();
                *call.pointer_mut(&part.pointer).unwrap() = value;
                let label = format!("{}: {} of {}", tool.name, label, part.path);
                let message = rejection(&mut session, &tool, call, &part.path, &label).await;
                let expected = format!("{}: expected ", part.path);
                assert!(message.starts_with(&expected), "{label}: {message}");
                assert!(message.contains(", got "), "{label}: {message}");
                *counts.entry("value").or_insert(0) += 1;
            }
            if part.required && !part.name.is_empty() && part.name != "key" {
                let mut call = call.clone();
                parent(&mut call, &part).remove(&part.name).unwrap();
                let label = format!("{}: without {}", tool.name, part.path);
                let message = rejection(&mut session, &tool, call, &part.path, &label).await;
                let expected = format!("Argument \"{}\" is missing: expected ", part.path);
                assert!(message.starts_with(&expected), "{label}: {message}");
                *counts.entry("missing").or_insert(0) += 1;
            }
            if !part.name.is_empty() && part.name != "key" {
                let mut call = call;
                let misspelled = format!("{}x", part.name);
                parent(&mut call, &part).insert(misspelled, json!(1));
                let path = format!("{}x", part.path);
                let label = format!("{}: {path}", tool.name);
                let message = rejection(&mut session, &tool, call, &path, &label).await;
                let expected =
                    format!("Unknown argument \"{path}\"; did you mean \"{}\"?", part.name);
                assert_eq!(message, expected, "{label}");
                *counts.entry("unknown").or_insert(0) += 1;
            }
        }
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
    // Guards against a test that no longer finds the parts.
    for (kind, minimum) in [("value", 400), ("missing", 40), ("unknown", 140)] {
        assert!(counts[kind] >= minimum, "{counts:?}");
    }
}

/// The message of the error; asserts that it names the argument and that nothing was sent.
async fn rejection(
    session: &mut Session,
    tool: &Tool,
    call: Value,
    path: &str,
    label: &str,
) -> String {
    let error = session.call_err(&tool.name, call).await;
    assert_eq!(error["code"], "invalid_argument", "{label}: {error}");
    assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
    assert_eq!(error["retryable"], false, "{label}: {error}");
    assert_eq!(error["details"]["argument"], path, "{label}: {error}");
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn further_invalid_arguments_are_named_and_not_sent() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let replacing = json!({"model_id": UNKNOWN_ID, "replace": true, "name": "Users"});
    let clearing = json!({"model_id": UNKNOWN_ID, "clear": ["labels"], "labels": ["crm"]});
    for (tool, arguments, argument, expected) in [
        (
            "create_model",
            json!({"name": "a", "connection_id": CONNECTION, "configuration": "{"}),
            "configuration",
            "configuration: expected an object",
        ),
        ("get_model", json!({"modelid": UNKNOWN_ID}), "modelid", "did you mean \"model_id\"?"),
        ("list_connections", json!({"details": "full"}), "details", "did you mean \"detail\"?"),
        ("get_connection", json!({"id": CONNECTION}), "id", "did you mean \"connection_id\"?"),
        ("update_model", json!({"id": UNKNOWN_ID}), "id", "did you mean \"model_id\"?"),
        ("list_model_syncs", json!({"id": UNKNOWN_ID}), "id", "did you mean \"model_id\"?"),
        ("list_models", json!({"ID": CONNECTION}), "ID", "did you mean \"connection_id\"?"),
        ("list_connections", json!({"id": CONNECTION}), "id", "expected "),
        (
            "list_model_syncs",
            json!({"id": UNKNOWN_ID, "model_id": UNKNOWN_ID}),
            "id",
            "Unknown argument \"id\"; expected ",
        ),
        (
            "update_model",
            json!({"model_id": UNKNOWN_ID, "version": 3}),
            "version",
            "did you mean \"expected_version\"?",
        ),
        (
            "create_model",
            json!({"name": "a", "connection_id": CONNECTION, "configuration": {},
                   "additional_fields": [{"name": "a", "label": "A"}]}),
            "additional_fields[0].type",
            "expected a string, one of string, number, boolean, datetime, array, object, binary or unknown",
        ),
        (
            "create_model",
            json!({"name": "a", "connection_id": CONNECTION, "configuration": {},
                   "additional_fields": [{"name": "a", "label": "A", "type": "number", "example": 42}]}),
            "additional_fields[0].example",
            "expected a string, e.g. \"42\", got the number 42",
        ),
        ("list_models", json!({"cursor": "c3luY3M"}), "cursor", "`next_cursor` of an earlier"),
        (
            "update_model",
            replacing,
            "connection_id",
            "`replace` requires connection_id, name and configuration",
        ),
        (
            "update_model",
            clearing,
            "clear",
            "properties that are not passed as well, got \"labels\"",
        ),
        (
            "create_model",
            json!({"name": "a", "connection_id": CONNECTION, "configuration": {}, "idempotency_key": "with blanks"}),
            "idempotency_key",
            "only letters, digits, `-` and `_`",
        ),
    ] {
        let error = session.call_err(tool, arguments.clone()).await;
        assert_eq!(error["code"], "invalid_argument", "{arguments}: {error}");
        assert_eq!(error["outcome"], "not_sent", "{arguments}: {error}");
        assert_eq!(error["details"]["argument"], argument, "{arguments}: {error}");
        assert!(error["message"].as_str().unwrap().contains(expected), "{arguments}: {error}");
    }
    let error = session.call_err("get_job", json!({"type": "..", "job_id": UNKNOWN_ID})).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert!(error["message"].as_str().unwrap().contains("dots"), "{error}");
    assert_eq!(stub.lines().await, Vec::<String>::new());
}

#[tokio::test]
async fn all_invalid_arguments_are_reported_at_once() {
    let stub = Stub::start().await;
    let launch = Launch::against(&stub.url());
    let mut session = Session::open(&launch).await;
    let mut rpc = Session::start(&launch.clone().flag("rpc"));
    let relation = json!({"from": 5, "to": {"model_id": "x", "feild": "id"}});
    for (tool, arguments, expected) in [
        ("create_model", json!({}), &["connection_id", "name", "configuration"][..]),
        (
            "create_model",
            json!({"wait_seconds": -1, "idempotency_key": "a b c d e f", "max_bytes": "x", "fields": [1, 2]}),
            &[
                "wait_seconds",
                "idempotency_key",
                "max_bytes",
                "fields[0]",
                "fields[1]",
                "connection_id",
                "name",
                "configuration",
            ],
        ),
        (
            "preview_model",
            json!({"connection_id": "x", "relations": [relation], "enricher": {"fields": [{"name": "a"}]}, "additional_fields": [{"name": 1}]}),
            &[
                "connection_id",
                "relations[0].from",
                "relations[0].to.model_id",
                "relations[0].to.feild",
                "relations[0].to.field",
                "enricher.connection_id",
                "additional_fields[0].name",
                "additional_fields[0].label",
                "additional_fields[0].type",
                "configuration",
            ],
        ),
        (
            "update_model",
            json!({"relations": [relation, {}], "replace": "maybe", "labels": 5}),
            &[
                "relations[0].from",
                "relations[0].to.model_id",
                "relations[0].to.feild",
                "relations[0].to.field",
                "relations[1].from",
                "relations[1].to",
                "replace",
                "labels",
                "model_id",
            ],
        ),
        (
            "get_job",
            json!({"job_id": "x", "wait_seconds": 601}),
            &["job_id", "wait_seconds", "type"],
        ),
        ("list_models", json!({"limit": 51, "detial": "full"}), &["limit", "detial"]),
        ("get_model", json!({"model_id": "x"}), &["model_id"]),
    ] {
        let error = session.call_err(tool, arguments.clone()).await;
        assert_eq!(error["code"], "invalid_argument", "{error}");
        let details = &error["details"];
        let problems = details["problems"].as_array().unwrap();
        let named: Vec<&str> = problems.iter().map(|p| p["argument"].as_str().unwrap()).collect();
        assert_eq!(named, expected, "{tool} {arguments}: {error}");
        assert_eq!(details["argument"], expected[0], "{error}");
        let message = error["message"].as_str().unwrap();
        let more = expected.len() - 1;
        let end = format!(
            " {more} more problem{} in details.problems.",
            if more == 1 { "" } else { "s" }
        );
        assert_eq!(message.ends_with(&end), more > 0, "{message}");
        for problem in problems {
            assert!(problem["expected"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
            let name = problem["argument"].as_str().unwrap();
            let pointer = format!("/{}", name.replace("[", "/").replace("]", "").replace(".", "/"));
            let is_missing = arguments.pointer(&pointer).is_none();
            assert_eq!(problem.get("got").is_none(), is_missing, "{problem}");
        }
        let response = rpc.request(tool, arguments.clone()).await;
        assert_eq!(response["error"]["data"], error, "{tool} {arguments}: over JSON-RPC");
        let flags =
            ["call", tool, "--json"].iter().fold(launch.clone(), |all, flag| all.flag(flag));
        let (status, stdout, stderr) = flags.flag(&arguments.to_string()).output().await;
        assert_eq!(status, 2, "{stderr}");
        assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["error"], error, "with `call`");
        for name in expected {
            let line = format!("\n  {name}: expected ");
            assert_eq!(stderr.contains(&line), more > 0, "{name} in {stderr}");
        }
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
}

#[tokio::test]
async fn all_properties_that_contradict_clear_and_replace_are_reported_at_once() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (arguments, expected) in [
        (
            json!({"clear": ["labels", "fields"], "labels": ["a"], "fields": ["a"]}),
            vec![("clear", "\"labels\""), ("clear", "\"fields\"")],
        ),
        (
            json!({"replace": true}),
            vec![("connection_id", "nothing"), ("name", "nothing"), ("configuration", "nothing")],
        ),
        (
            json!({"replace": true, "name": "a", "configuration": {"table": "t"}, "clear": ["labels"],
                "labels": ["a"]}),
            vec![("clear", "\"labels\""), ("connection_id", "nothing")],
        ),
    ] {
        let mut arguments = arguments;
        arguments["model_id"] = json!(UNKNOWN_ID);
        let error = session.call_err("update_model", arguments).await;
        let problems = error["details"]["problems"].as_array().unwrap();
        let found: Vec<_> = problems
            .iter()
            .map(|p| (p["argument"].as_str().unwrap(), p["got"].as_str().unwrap()))
            .collect();
        assert_eq!(found, expected, "{error}");
    }
    assert_eq!(stub.requests().await.len(), 0);
}

#[tokio::test]
async fn errors_show_numbers_and_texts_as_they_were_passed() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    for (arguments, expected) in [
        (r#""expected_version":1e400"#, "the number 1e400"),
        (
            r#""expected_version":170141183460469231731687303715884105727"#,
            "the number 170141183460469231731687303715884105727",
        ),
        (r#""expected_version":1.50"#, "the number 1.50"),
        (r#""name":1.50"#, "the number 1.50"),
        (r#""name":-0"#, "the number -0"),
        ("\"expected_version\":\"\u{7f}1.50\"", "the string \"\\u{7f}1.50\""),
        ("\"\u{7f}1\":1", "Unknown argument \"\u{7f}1\""),
    ] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{"name":"update_model","arguments":{{"model_id":"{UNKNOWN_ID}",{arguments}}}}}}}
"#,
            session.next_id()
        );
        let response = session.exchange(line.as_bytes()).await;
        let error = session.expect_error(&response);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}
