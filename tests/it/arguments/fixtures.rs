//! The tools with their schemas, every part of their arguments, and what calls send.

use serde_json::{Map, Value, json};

use crate::support::{Session, Stub, UNKNOWN_ID};

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
    pub(super) fn kind(&self) -> &str {
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
pub(super) fn valid_value(name: &str, schema: &Value) -> Value {
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

/// The object that holds a part.
pub(super) fn parent<'a>(call: &'a mut Value, part: &Part) -> &'a mut Map<String, Value> {
    let (pointer, _) = part.pointer.rsplit_once('/').unwrap();
    call.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap()
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
