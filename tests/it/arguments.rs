//! Validation and coercion of arguments, for every property of every tool.
//!
//! The advertised schemas lead the tests; if one refers to `create_model`, the schema of that tool.

use serde_json::{Map, Value, json};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

/// Arguments that are parsed as UUIDs before anything is sent.
const ID_ARGUMENTS: [&str; 4] = ["connection_id", "job_id", "model_id", "sync_id"];

/// A schema inside an argument, and its position.
pub struct Part {
    /// As in errors: `relations[0].to.model_id`.
    pub path: String,
    /// As in [`Value::pointer`].
    pub pointer: String,
    pub name: String,
    pub schema: Value,
    pub required: bool,
}

impl Part {
    fn kind(&self) -> &str {
        self.schema["type"].as_str().unwrap()
    }
}

/// A tool and its schema.
pub struct Tool {
    pub name: String,
    pub schema: Value,
    /// Only the required arguments.
    pub minimal: Value,
}

impl Tool {
    /// The parts of all arguments, each with a valid call that holds everything the argument can hold.
    pub fn parts(&self) -> Vec<(Value, Part)> {
        let mut all = Vec::new();
        for (name, property) in self.schema["properties"].as_object().unwrap() {
            let mut call = self.minimal.clone();
            call[name] = valid_value(name, property);
            let mut parts = Vec::new();
            let required = is_required(&self.schema, name);
            let part = |schema: &Value| Part {
                path: name.clone(),
                pointer: format!("/{name}"),
                name: name.clone(),
                schema: schema.clone(),
                required,
            };
            collect(part(property), &mut parts);
            all.extend(parts.into_iter().map(|part| (call.clone(), part)));
        }
        all
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)))
}

/// Collects a part and all parts inside it.
fn collect(part: Part, parts: &mut Vec<Part>) {
    let child = |path: String, pointer: String, name: &str, schema: &Value, required| Part {
        path,
        pointer,
        name: name.to_owned(),
        schema: schema.clone(),
        required,
    };
    let children: Vec<Part> = match part.kind() {
        "array" => {
            let (path, pointer) = (format!("{}[0]", part.path), format!("{}/0", part.pointer));
            vec![child(path, pointer, "", &part.schema["items"], true)]
        }
        "object" => {
            let properties = part.schema["properties"].as_object().cloned().unwrap_or_default();
            let additional = &part.schema["additionalProperties"];
            let additional = additional.is_object().then(|| ("key".to_owned(), additional.clone()));
            let position =
                |name: &str| (format!("{}.{name}", part.path), format!("{}/{name}", part.pointer));
            let is_free_form = properties.is_empty();
            let property = |(name, schema): (String, Value)| {
                let (path, pointer) = position(&name);
                let required = is_free_form || is_required(&part.schema, &name);
                child(path, pointer, &name, &schema, required)
            };
            properties.into_iter().chain(additional).map(property).collect()
        }
        _ => Vec::new(),
    };
    parts.push(part);
    children.into_iter().for_each(|part| collect(part, parts));
}

/// A valid value of a schema, with all its properties.
fn valid_value(name: &str, schema: &Value) -> Value {
    let description = schema["description"].as_str().unwrap_or_default();
    let example =
        description.split_once("e.g. `").and_then(|(_, rest)| Some(rest.split_once('`')?.0));
    if let Some(choices) = schema["enum"].as_array() {
        return choices[0].clone();
    }
    match schema["type"].as_str().unwrap() {
        "string" if description.contains("UUID") => json!(UNKNOWN_ID),
        "string" => json!(example.unwrap_or("text")),
        "integer" => serde_json::from_str(example.unwrap()).unwrap(),
        // `replace` requires further arguments.
        "boolean" => json!(name != "replace"),
        "array" => json!([valid_value("", &schema["items"])]),
        "object" => match (schema["properties"].as_object(), &schema["additionalProperties"]) {
            (Some(properties), _) => {
                let values = properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), valid_value(name, schema)));
                Value::Object(values.collect())
            }
            (None, Value::Object(_)) => json!({"key": "text"}),
            (None, _) => json!({"table": "public.users"}),
        },
        kind => panic!("{name}: {kind}"),
    }
}

pub async fn tools(session: &mut Session) -> Vec<Tool> {
    let response = session.request("tools/list", json!({})).await;
    let tools = response["result"]["tools"].as_array().unwrap();
    let create_model = tools.iter().find(|tool| tool["name"] == "create_model").unwrap();
    let tool = |tool: &Value| {
        let mut schema = tool["inputSchema"].clone();
        for (name, property) in schema["properties"].as_object_mut().unwrap() {
            if property["description"] == "Same as in `create_model`." {
                *property = create_model["inputSchema"]["properties"][name].clone();
            }
        }
        let properties = schema["properties"].as_object().unwrap();
        let required = properties.iter().filter(|(name, _)| is_required(&schema, name));
        let minimal: Map<String, Value> =
            required.map(|(name, property)| (name.clone(), valid_value(name, property))).collect();
        let name = tool["name"].as_str().unwrap().to_owned();
        Tool { name, schema: schema.clone(), minimal: Value::Object(minimal) }
    };
    tools.iter().map(tool).collect()
}

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
    let mut counts = std::collections::BTreeMap::new();
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

/// The object that holds a part.
fn parent<'a>(call: &'a mut Value, part: &Part) -> &'a mut Map<String, Value> {
    let (pointer, _) = part.pointer.rsplit_once('/').unwrap();
    call.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap()
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
async fn coerced_arguments_send_the_same_requests_as_valid_ones() {
    let model = json!({
        "id": UNKNOWN_ID, "name": "Users", "connection_id": UNKNOWN_ID, "configuration": {"table": "t"},
        "version": 3,
    });
    let page = json!({"data": [model, model], "pagination": {"next_page_token": null}});
    let mut count = 0;
    for tool in tools(&mut Session::open(&Launch::bare()).await).await {
        let stub = Stub::start().await;
        stub.json("GET", MODEL, 200, json!({"data": model})).await;
        stub.json("GET", "/api/models", 200, page.clone()).await;
        stub.json("GET", "/api/syncs", 200, page.clone()).await;
        let mut session = Session::open(&Launch::against(&stub.url())).await;
        for (mut call, part) in tool.parts() {
            if part.name == "cursor" {
                let page = session.call(&tool.name, json!({"limit": 1})).await;
                call["cursor"] = page["next_cursor"].clone();
            }
            let expected = sent(&stub, &mut session, &tool, &call, &part.path).await;
            let value = call.pointer(&part.pointer).unwrap().clone();
            let mut spellings = Vec::new();
            if part.kind() != "string" {
                spellings.push(json!(value.to_string()));
                spellings.push(json!(format!(" {value:#} ")));
            }
            if let Some(integer) = value.as_i64() {
                let float: Value = serde_json::from_str(&format!("{integer}.0")).unwrap();
                spellings.push(json!(float.to_string()));
                spellings.push(float);
            }
            for spelling in spellings {
                let mut call = call.clone();
                *call.pointer_mut(&part.pointer).unwrap() = spelling.clone();
                let coerced = sent(&stub, &mut session, &tool, &call, &part.path).await;
                assert_eq!(coerced, expected, "{}: {} as {spelling}", tool.name, part.path);
                count += 1;
            }
            if !part.required {
                parent(&mut call, &part).remove(&part.name).unwrap();
                let absent = sent(&stub, &mut session, &tool, &call, &part.path).await;
                parent(&mut call, &part).insert(part.name.clone(), Value::Null);
                let null = sent(&stub, &mut session, &tool, &call, &part.path).await;
                assert_eq!(null, absent, "{}: {} as null", tool.name, part.path);
                count += 1;
            }
        }
    }
    assert!(count >= 250, "{count}");
}

/// The requests that a call sends: method, path with query, and body.
pub async fn sent(
    stub: &Stub,
    session: &mut Session,
    tool: &Tool,
    call: &Value,
    label: &str,
) -> Vec<(String, String, String)> {
    let before = stub.requests().await.len();
    let params = json!({"name": tool.name, "arguments": call});
    let response = session.request("tools/call", params).await;
    let requests = stub.requests().await.split_off(before);
    assert!(!requests.is_empty(), "{}: {label}: nothing was sent: {response}", tool.name);
    let parts = |request: &wiremock::Request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        (
            request.method.to_string(),
            request.url.path().to_owned() + request.url.query().unwrap_or_default(),
            body,
        )
    };
    let mut sent: Vec<_> = requests.iter().map(parts).collect();
    // The previews of two sources are sent at once, in any order.
    sent.sort();
    sent
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
async fn the_arguments_of_a_call_may_be_json_text() {
    let mut session = Session::sandbox().await;
    let call = async |session: &mut Session, tool: &str, arguments: &str| {
        session.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    };
    let expected = session.call("list_models", json!({"limit": 1})).await;
    for text in [r#"{"limit": 1}"#, " {\"limit\":\"1\"}\n", r#"{"limit": 1, "cursor": null}"#] {
        let response = call(&mut session, "list_models", text).await;
        assert_eq!(session.expect_result("list_models", &response), expected, "{text}");
    }
    for text in ["", "  ", "{}", "null"] {
        let response = call(&mut session, "get_identity", text).await;
        session.expect_result("get_identity", &response);
    }
    let response = call(&mut session, "get_model", r#"{"model_id": "x"}"#).await;
    assert_eq!(session.expect_error(&response)["details"]["argument"], "model_id");
    for (text, reason) in [
        ("{\"limit\": 1", "not JSON"),
        ("limit=1", "not JSON"),
        ("[1]", "another type"),
        ("5", "another type"),
        (r#""{}""#, "another type"),
    ] {
        let response = call(&mut session, "list_models", text).await;
        let error = session.expect_error(&response);
        assert_eq!(error["code"], "invalid_argument", "{text}: {error}");
        assert_eq!(error["details"]["argument"], "arguments", "{text}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("arguments: expected an object"), "{text}: {error}");
        assert!(message.contains(reason), "{text}: {error}");
    }
    // An unknown tool is reported before its arguments, and `_meta` beside them is read.
    let response = call(&mut session, "list_modles", "{").await;
    assert_eq!(response["error"]["code"], -32602, "{response}");
    let params = json!({"name": "get_identity", "arguments": "{}", "_meta": {"progressToken": 1}});
    let response = session.request("tools/call", params).await;
    session.expect_result("get_identity", &response);
}

#[tokio::test]
async fn arguments_as_text_and_null_are_accepted_together() {
    let mut session = Session::sandbox().await;
    let created = session
        .call(
            "create_model",
            json!({
                "connection_id": CONNECTION, "name": "Users",
                "configuration": "{\"table\": \"public.users\"}",
                "fields": "[\"id\", \"email\"]", "identifier": null, "async": "false",
                "wait_seconds": "10",
            }),
        )
        .await;
    assert_eq!(created["model"]["fields"].as_array().unwrap().len(), 2, "{created}");
}

#[tokio::test]
async fn background_is_another_name_of_async() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut count = 0;
    for tool in tools(&mut session).await {
        let takes_async = tool.schema["properties"].get("async").is_some();
        assert!(tool.schema["properties"].get("background").is_none(), "{}", tool.name);
        let call = |extra: Value| {
            let mut call = tool.minimal.clone();
            call.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
            call
        };
        if !takes_async {
            let error = session.call_err(&tool.name, call(json!({"background": true}))).await;
            assert_eq!(error["details"]["argument"], "background", "{error}");
            continue;
        }
        let expected = sent(&stub, &mut session, &tool, &call(json!({"async": true})), "").await;
        let absent = sent(&stub, &mut session, &tool, &tool.minimal, "").await;
        for (extra, expected) in [
            (json!({"background": true}), &expected),
            (json!({"background": "true"}), &expected),
            (json!({"background": true, "async": true}), &expected),
            (json!({"background": true, "async": "true"}), &expected),
            (json!({"background": true, "async": null}), &expected),
            (json!({"background": "", "async": true}), &expected),
            (json!({"background": [], "async": {}}), &absent),
            (json!({"background": false}), &absent),
            (json!({"background": "false", "async": false}), &absent),
            (json!({"background": null}), &absent),
        ] {
            let sent = sent(&stub, &mut session, &tool, &call(extra.clone()), "").await;
            assert_eq!(&sent, expected, "{}: {extra}", tool.name);
        }
        let before = stub.lines().await.len();
        for (extra, argument) in [
            (json!({"background": true, "async": false}), "background"),
            (json!({"background": false, "async": "true"}), "background"),
            (json!({"background": "later"}), "background"),
            (json!({"backgroud": true}), "backgroud"),
        ] {
            let error = session.call_err(&tool.name, call(extra.clone())).await;
            assert_eq!(error["code"], "invalid_argument", "{extra}: {error}");
            assert_eq!(error["details"]["argument"], argument, "{extra}: {error}");
        }
        assert_eq!(stub.lines().await.len(), before, "{}", tool.name);
        count += 1;
    }
    assert!(count >= 5, "{count}");
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
