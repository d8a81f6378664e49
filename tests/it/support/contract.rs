//! The contract of the API: whether a response of the sandbox is one that it documents.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../contract/openapi.json")).unwrap());

/// An operation of the contract.
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) method: String,
    pub(crate) path: &'static str,
    pub(crate) is_read_only: bool,
    pub(crate) description: &'static Value,
}

pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    CONTRACT["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().filter(|(_, value)| value["operationId"].is_string()).map(
            |(method, description)| Operation {
                id: description["operationId"].as_str().unwrap(),
                method: method.to_uppercase(),
                path,
                is_read_only: description["x-read-only"] == true,
                description,
            },
        )
    })
}

/// The operation of a request.
pub(crate) fn operation_of(method: &str, path: &str) -> Option<Operation> {
    let matching = operations()
        .filter(|operation| operation.method == method && matches_template(operation.path, path));
    matching.min_by_key(|operation| operation.path.matches('{').count())
}

/// The parameters of an operation, with references resolved.
pub(crate) fn parameters(operation: &Operation) -> impl Iterator<Item = &'static Value> + use<> {
    operation.description["parameters"].as_array().unwrap().iter().map(resolve)
}

/// Checks a value against a schema of the contract.
#[track_caller]
pub(crate) fn check_value(label: &str, schema: &Value, value: &Value) {
    let validator = validator(schema);
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{label}: {errors:#?}\n{value}");
}

/// Checks the status and the body of a response against the contract. Paths outside the API are not in it.
#[track_caller]
pub(crate) fn check_response(method: &str, path: &str, status: u16, text: &str) {
    let Some(operation) = operation_of(method, path) else { return };
    let responses = resolve(&operation.description["responses"]);
    let response = match &responses[status.to_string()] {
        Value::Null if status >= 400 => &responses["default"],
        response => response,
    };
    assert!(response.is_object(), "{} does not document {status}: {text}", operation.id);
    let content = &resolve(response)["content"];
    let Some(schema) = content.get("application/json").map(|content| &content["schema"]) else {
        // A success without a documented body has none.
        assert!(status < 400 && text.is_empty(), "{} {status}: {text}", operation.id);
        return;
    };
    let body: Value = serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("{}: {error}: {text}", operation.id));
    check_value(&format!("{} {status}", operation.id), schema, &body);
}

fn matches_template(template: &str, path: &str) -> bool {
    let (mut expected, mut segments) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), segments.next()) {
            (None, None) => return true,
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
            (Some(name), Some(segment)) if name == segment => {}
            _ => return false,
        }
    }
}

/// What a reference within the contract points to.
pub(crate) fn pointer(reference: &str) -> &'static Value {
    CONTRACT.pointer(reference.trim_start_matches('#')).unwrap()
}

/// Follows a reference within the contract.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(pointer(reference)),
        None => value,
    }
}

fn validator(schema: &Value) -> Arc<Validator> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> =
        LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap();
    let new = || {
        let with_components = json!({ "allOf": [schema], "components": CONTRACT["components"] });
        Arc::new(jsonschema::draft202012::new(&with_components).unwrap())
    };
    Arc::clone(validators.entry(schema.to_string()).or_insert_with(new))
}
