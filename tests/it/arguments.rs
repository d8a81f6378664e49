//! Arguments: each advertised bound broken once, and each property as agents send it.
//!
//! Both walks are led by the list that the binary shows; where a schema refers to `create_model`, by that.

use serde_json::{Map, Value, json};

use crate::support::{CONNECTION, Launch, MODEL, Session, Stub, UNKNOWN_ID};

/// The ids that are read as UUIDs before anything is sent.
const IDS: [&str; 4] = ["connection_id", "job_id", "model_id", "sync_id"];

/// A part of a property's schema, with where it stands.
struct Part {
    /// As errors name it: `relations[0].to.model_id`.
    path: String,
    /// As [`Value::pointer`] does.
    pointer: String,
    name: String,
    schema: Value,
    required: bool,
}

impl Part {
    fn kind(&self) -> &str {
        self.schema["type"].as_str().unwrap()
    }
}

/// A tool with a call of it that is right.
struct Tool {
    name: String,
    schema: Value,
    /// The required arguments alone.
    least: Value,
}

impl Tool {
    /// The parts of all properties, each with the call that holds the property as full as it can be.
    fn parts(&self) -> Vec<(Value, Part)> {
        let mut all = Vec::new();
        for (name, property) in self.schema["properties"].as_object().unwrap() {
            let mut call = self.least.clone();
            call[name] = valid(name, property);
            let mut parts = Vec::new();
            let required = is_required(&self.schema, name);
            let part = |schema: &Value| Part {
                path: name.clone(),
                pointer: format!("/{name}"),
                name: name.clone(),
                schema: schema.clone(),
                required,
            };
            walk(part(property), &mut parts);
            all.extend(parts.into_iter().map(|part| (call.clone(), part)));
        }
        all
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)))
}

/// A part and all below it.
fn walk(part: Part, parts: &mut Vec<Part>) {
    let below = |path: String, pointer: String, name: &str, schema: &Value, required| Part {
        path,
        pointer,
        name: name.to_owned(),
        schema: schema.clone(),
        required,
    };
    let inside: Vec<Part> = match part.kind() {
        "array" => {
            let (path, pointer) = (format!("{}[0]", part.path), format!("{}/0", part.pointer));
            vec![below(path, pointer, "", &part.schema["items"], true)]
        }
        "object" => {
            let named = part.schema["properties"].as_object().cloned().unwrap_or_default();
            let free = &part.schema["additionalProperties"];
            let free = free.is_object().then(|| ("key".to_owned(), free.clone()));
            let at =
                |name: &str| (format!("{}.{name}", part.path), format!("{}/{name}", part.pointer));
            let is_free = named.is_empty();
            let below = |(name, schema): (String, Value)| {
                let (path, pointer) = at(&name);
                let required = is_free || is_required(&part.schema, &name);
                below(path, pointer, &name, &schema, required)
            };
            named.into_iter().chain(free).map(below).collect()
        }
        _ => Vec::new(),
    };
    parts.push(part);
    inside.into_iter().for_each(|part| walk(part, parts));
}

/// A value as a schema wants it, with everything that it may hold.
fn valid(name: &str, schema: &Value) -> Value {
    let words = schema["description"].as_str().unwrap_or_default();
    let example = words.split_once("e.g. `").and_then(|(_, rest)| Some(rest.split_once('`')?.0));
    if let Some(choices) = schema["enum"].as_array() {
        return choices[0].clone();
    }
    match schema["type"].as_str().unwrap() {
        "string" if words.contains("UUID") => json!(UNKNOWN_ID),
        "string" => json!(example.unwrap_or("text")),
        "integer" => serde_json::from_str(example.unwrap()).unwrap(),
        // All properties would have to be there for it.
        "boolean" => json!(name != "replace"),
        "array" => json!([valid("", &schema["items"])]),
        "object" => match (schema["properties"].as_object(), &schema["additionalProperties"]) {
            (Some(properties), _) => {
                let each =
                    properties.iter().map(|(name, inner)| (name.clone(), valid(name, inner)));
                Value::Object(each.collect())
            }
            (None, Value::Object(_)) => json!({"key": "text"}),
            (None, _) => json!({"table": "public.users"}),
        },
        kind => panic!("{name}: {kind}"),
    }
}

async fn tools(session: &mut Session) -> Vec<Tool> {
    let answer = session.request("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let told = tools.iter().find(|tool| tool["name"] == "create_model").unwrap();
    let tool = |tool: &Value| {
        let mut schema = tool["inputSchema"].clone();
        for (name, property) in schema["properties"].as_object_mut().unwrap() {
            if property["description"] == "As `create_model` has it." {
                *property = told["inputSchema"]["properties"][name].clone();
            }
        }
        let properties = schema["properties"].as_object().unwrap();
        let needed = properties.iter().filter(|(name, _)| is_required(&schema, name));
        let least: Map<String, Value> =
            needed.map(|(name, property)| (name.clone(), valid(name, property))).collect();
        let name = tool["name"].as_str().unwrap().to_owned();
        Tool { name, schema: schema.clone(), least: Value::Object(least) }
    };
    tools.iter().map(tool).collect()
}

/// Values that break one thing each that a schema says.
fn broken(part: &Part) -> Vec<(&'static str, Value)> {
    let schema = &part.schema;
    let mut wrong = vec![match part.kind() {
        "string" => ("another type", json!(5)),
        "integer" => ("another type", json!("soon")),
        "boolean" => ("another type", json!("maybe")),
        "array" => ("another type", json!({})),
        _ => ("another type", json!([])),
    }];
    if part.required {
        wrong.push(("null", Value::Null));
    }
    let bound = |name: &str| schema[name].as_u64();
    let length = |n: u64| json!("x".repeat(usize::try_from(n).unwrap()));
    let items = |n: u64| Value::from_iter((0..n).map(|_| valid("", &schema["items"])));
    for (name, value) in [
        ("minimum", bound("minimum").map(|n| json!(i64::try_from(n).unwrap() - 1))),
        ("maximum", bound("maximum").map(|n| json!(n + 1))),
        ("minLength", bound("minLength").map(|n| length(n - 1))),
        ("maxLength", bound("maxLength").map(|n| length(n + 1))),
        ("minItems", bound("minItems").map(|n| items(n - 1))),
        ("maxItems", bound("maxItems").map(|n| items(n + 1))),
        ("enum", schema["enum"].is_array().then(|| json!("nonsense"))),
    ] {
        wrong.extend(value.map(|value| (name, value)));
    }
    if part.kind() == "integer" {
        wrong.push(("a fraction", json!(10.5)));
    }
    if IDS.contains(&part.name.as_str()) {
        for id in ["", "x", "../../me", "00000000-0000-4000-8000-00000000000"] {
            wrong.push(("no UUID", json!(id)));
        }
    }
    wrong
}

#[tokio::test]
async fn whatever_breaks_the_schema_is_refused_by_name_and_not_sent() {
    let stub = Stub::start().await;
    let mut session = Session::open(&Launch::against(&stub.url())).await;
    let mut count = std::collections::BTreeMap::new();
    for tool in tools(&mut session).await {
        for (call, part) in tool.parts() {
            for (label, value) in broken(&part) {
                let mut call = call.clone();
                *call.pointer_mut(&part.pointer).unwrap() = value;
                let label = format!("{}: {} of {}", tool.name, label, part.path);
                let message = refused(&mut session, &tool, call, &part.path, &label).await;
                let words = format!("{}: expected ", part.path);
                assert!(message.starts_with(&words), "{label}: {message}");
                assert!(message.contains(", got "), "{label}: {message}");
                *count.entry("value").or_insert(0) += 1;
            }
            if part.required && !part.name.is_empty() && part.name != "key" {
                let mut call = call.clone();
                parent(&mut call, &part).remove(&part.name).unwrap();
                let label = format!("{}: without {}", tool.name, part.path);
                let message = refused(&mut session, &tool, call, &part.path, &label).await;
                let words = format!("Argument \"{}\" is missing: expected ", part.path);
                assert!(message.starts_with(&words), "{label}: {message}");
                *count.entry("missing").or_insert(0) += 1;
            }
            if !part.name.is_empty() && part.name != "key" {
                let mut call = call;
                let near = format!("{}x", part.name);
                parent(&mut call, &part).insert(near, json!(1));
                let path = format!("{}x", part.path);
                let label = format!("{}: {path}", tool.name);
                let message = refused(&mut session, &tool, call, &path, &label).await;
                let words = format!("Unknown argument \"{path}\"; did you mean \"{}\"?", part.name);
                assert_eq!(message, words, "{label}");
                *count.entry("unknown").or_insert(0) += 1;
            }
        }
    }
    assert_eq!(stub.lines().await, Vec::<String>::new());
    // A walk that has lost its way would find nothing to break.
    for (what, least) in [("value", 400), ("missing", 40), ("unknown", 140)] {
        assert!(count[what] >= least, "{count:?}");
    }
}

/// The object that a part stands in.
fn parent<'a>(call: &'a mut Value, part: &Part) -> &'a mut Map<String, Value> {
    let (above, _) = part.pointer.rsplit_once('/').unwrap();
    call.pointer_mut(above).and_then(Value::as_object_mut).unwrap()
}

/// The message of a refusal that names the argument and sends nothing.
async fn refused(
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
async fn what_agents_mean_is_sent_as_if_they_had_written_it() {
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
            let plain = sent(&stub, &mut session, &tool, &call, &part.path).await;
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
                let mended = sent(&stub, &mut session, &tool, &call, &part.path).await;
                assert_eq!(mended, plain, "{}: {} as {spelling}", tool.name, part.path);
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

/// What a call sends: method, address and body of each request.
async fn sent(
    stub: &Stub,
    session: &mut Session,
    tool: &Tool,
    call: &Value,
    label: &str,
) -> Vec<(String, String, String)> {
    let before = stub.requests().await.len();
    let params = json!({"name": tool.name, "arguments": call});
    let answer = session.request("tools/call", params).await;
    let requests = stub.requests().await.split_off(before);
    assert!(!requests.is_empty(), "{}: {label}: nothing was sent: {answer}", tool.name);
    let told = |request: &wiremock::Request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        (
            request.method.to_string(),
            request.url.path().to_owned() + request.url.query().unwrap_or_default(),
            body,
        )
    };
    requests.iter().map(told).collect()
}

#[tokio::test]
async fn wrong_arguments_are_named_before_anything_is_sent() {
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
        ("list_models", json!({"cursor": "c3luY3M"}), "cursor", "`next_cursor` of an earlier"),
        ("update_model", replacing, "connection_id", "`replace` keeps none of"),
        ("update_model", clearing, "clear", "properties that are not given, got \"labels\""),
        (
            "create_model",
            json!({"name": "a", "connection_id": CONNECTION, "configuration": {}, "idempotency_key": "with blanks"}),
            "idempotency_key",
            "expected letters, digits",
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
async fn arguments_as_agents_send_them_are_understood() {
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
