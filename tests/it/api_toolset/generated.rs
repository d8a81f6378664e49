//! Calls that are made from the contract: the least call of every operation, and a thousand that are partly wrong.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use wiremock::Request;

use super::{accepting_api, tool};
use crate::support::contract::{self, Operation};
use crate::support::{Launch, Session, Stub};

fn launch(stub: &Stub) -> Launch {
    let launch = Launch::against(&stub.url()).flag("--toolsets").flag("all");
    launch.flag("--allow-secret-operations")
}

/// Arguments made from the schemas of an operation.
struct Maker {
    random: Rng,
    /// How often something is there that may be absent, in percent.
    optional: u8,
    /// How often a value is wrong, in percent.
    wrong: u8,
}

impl Maker {
    fn happens(&mut self, percent: u8) -> bool {
        self.random.u8(0..100) < percent
    }

    /// `path`, `query` and `body` of an operation.
    fn arguments(&mut self, operation: &Operation) -> Value {
        let mut arguments = json!({"operation": operation.id});
        for (place, argument) in [("path", "path"), ("query", "query")] {
            let mut values = Map::new();
            for parameter in contract::parameters(operation).filter(|p| p["in"] == place) {
                if parameter["required"] == true || self.happens(self.optional) {
                    let name = parameter["name"].as_str().unwrap();
                    values.insert(name.to_owned(), self.value(&parameter["schema"]));
                }
            }
            if !values.is_empty() || self.happens(self.wrong) {
                arguments[argument] = Value::Object(values);
            }
        }
        let body = &operation.description["requestBody"];
        if body["required"] == true || (body.is_object() && self.happens(self.optional)) {
            arguments["body"] = self.value(&body["content"]["application/json"]["schema"]);
        }
        if self.happens(self.wrong) {
            let place = ["path", "query", "body"][self.random.usize(0..3)];
            let wrong = self.wrong_value();
            match &mut arguments[place] {
                Value::Object(map) if self.random.bool() => {
                    map.insert("nonsense".to_owned(), wrong);
                }
                value => *value = wrong,
            }
        }
        arguments
    }

    fn value(&mut self, schema: &'static Value) -> Value {
        if self.happens(self.wrong) {
            return self.wrong_value();
        }
        let schema = contract::resolve(schema);
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let index = self.random.usize(0..alternatives.len());
            return self.value(&alternatives[index]);
        }
        if let Some(choices) = schema["enum"].as_array() {
            return choices[self.random.usize(0..choices.len())].clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[self.random.usize(0..kinds.len())].clone(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("string") => match schema["format"].as_str() {
                Some("uuid") => json!(uuid::Uuid::from_u128(self.random.u128(..)).to_string()),
                Some("date-time") => json!("2026-01-31T09:30:00Z"),
                _ => json!(["x", "a/b", "ü?#%2e", "public.users"][self.random.usize(0..4)]),
            },
            Some("integer") => {
                let (low, high) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
                json!(self.random.i64(low.unwrap_or(0)..=high.unwrap_or(9)))
            }
            Some("number") => json!(1.5),
            Some("boolean") => json!(self.random.bool()),
            Some("array") => {
                let items = &schema["items"];
                (0..self.random.usize(1..3)).map(|_| self.value(items)).collect()
            }
            Some("object") => {
                let mut map = Map::new();
                let required = schema["required"].as_array();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    let is_required = required.is_some_and(|all| all.contains(&json!(name)));
                    if is_required || self.happens(self.optional) {
                        map.insert(name.clone(), self.value(property));
                    }
                }
                Value::Object(map)
            }
            Some("null") => Value::Null,
            _ => json!("anything"),
        }
    }

    fn wrong_value(&mut self) -> Value {
        let wrong = [
            json!(null),
            json!(""),
            json!(".."),
            json!("../../admin"),
            json!("a\u{0}b\nc"),
            json!("********"),
            json!(-1),
            json!(1e300),
            json!([]),
            json!({"..": ".."}),
            json!({"id": "../x", "name": null}),
            json!([[[]]]),
            json!("https://elsewhere.example/api"),
        ];
        wrong[self.random.usize(0..wrong.len())].clone()
    }
}

/// Checks that a request is one that the contract allows, and returns its operation.
fn check_request(request: &Request) -> &'static str {
    let (method, path) = (request.method.as_str(), request.url.path());
    let operation = contract::operation_of(method, path)
        .unwrap_or_else(|| panic!("{method} {path} is no operation"));
    let known: BTreeSet<&str> = contract::parameters(&operation)
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    let sent: BTreeSet<String> = request
        .url
        .query_pairs()
        .map(|(name, _)| name.split('[').next().unwrap().to_owned())
        .collect();
    assert!(sent.iter().all(|name| known.contains(name.as_str())), "{}: {sent:?}", operation.id);
    for parameter in contract::parameters(&operation).filter(|p| p["in"] == "query") {
        let name = parameter["name"].as_str().unwrap();
        assert!(parameter["required"] != true || sent.contains(name), "{}: {name}", operation.id);
    }
    assert_eq!(request.headers.contains_key("idempotency-key"), method == "POST");
    let body = &operation.description["requestBody"];
    if request.body.is_empty() {
        assert_ne!(body["required"], true, "{}: no body", operation.id);
    } else {
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        let schema = &body["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{} takes no body, got {sent}", operation.id);
        contract::check_value(operation.id, schema, &sent);
    }
    operation.id
}

#[tokio::test]
async fn the_least_call_of_every_operation_is_sent_as_the_contract_has_it() {
    let stub = accepting_api().await;
    let mut session = Session::open(&launch(&stub)).await;
    let mut maker = Maker { random: Rng::with_seed(1), optional: 0, wrong: 0 };
    let mut called = Vec::new();
    for operation in contract::operations() {
        let arguments = maker.arguments(&operation);
        let tool = tool(&operation.method, operation.is_read_only);
        let response =
            session.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        if response["result"]["isError"] == true {
            let error = session.expect_error(&response);
            assert_eq!(error["code"], "invalid_argument", "{arguments}: {error}");
            assert!(error["message"].as_str().unwrap().contains("a tool of its own"), "{error}");
            continue;
        }
        let result = session.expect_result(tool, &response);
        assert_eq!(result["operation"], operation.id);
        called.push(operation.id);
    }
    let sent: Vec<&str> = stub.requests().await.iter().map(check_request).collect();
    assert_eq!(sent, called);
    assert_eq!(called.len(), 170, "the others have a tool of their own");
}

#[tokio::test]
async fn nothing_is_sent_that_the_contract_does_not_allow() {
    let stub = accepting_api().await;
    let mut session = Session::open(&launch(&stub)).await;
    let operations: Vec<Operation> = contract::operations().collect();
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..1_000 {
        let mut maker = Maker { random: Rng::with_seed(seed), optional: 40, wrong: 8 };
        let operation = &operations[maker.random.usize(0..operations.len())];
        let arguments = maker.arguments(operation);
        let tools = ["call_read_operation", "call_write_operation", "call_delete_operation"];
        let tool = match maker.happens(10) {
            true => tools[maker.random.usize(0..3)],
            false => tool(&operation.method, operation.is_read_only),
        };
        let before = stub.requests().await.len();
        let response =
            session.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        let sent = stub.requests().await.len() - before;
        if response["result"]["isError"] == true {
            let error = session.expect_error(&response);
            assert_eq!(error["code"], "invalid_argument", "seed {seed}: {arguments}: {error}");
            assert_eq!(sent, 0, "seed {seed}: {arguments}");
            refused += 1;
        } else {
            session.expect_result(tool, &response);
            assert_eq!(sent, 1, "seed {seed}: {arguments}");
            accepted += 1;
        }
    }
    stub.requests().await.iter().for_each(|request| {
        check_request(request);
    });
    assert!(accepted > 250 && refused > 250, "{accepted} {refused}");
}
