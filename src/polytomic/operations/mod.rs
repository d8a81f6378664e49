//! One method for each operation of the API, a file for each of its sections; here is what their requests
//! are made of.
//!
//! Waiting for jobs is in `jobs`.

mod connections;
mod models;
pub(super) mod others;

use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::CallOptions;
use super::error::{Operation, Subject};
use super::exchange::Request;
use super::retry::Retry;

fn reading(name: &'static str, subject: Subject) -> Operation {
    Operation { name, subject, writes: false, may_become_a_job: false }
}

fn writing(name: &'static str, subject: Subject) -> Operation {
    Operation { writes: true, ..reading(name, subject) }
}

/// An operation that takes `async`.
fn or_job(operation: Operation) -> Operation {
    Operation { may_become_a_job: true, ..operation }
}

fn get(operation: Operation, path: String, query: Vec<(String, String)>) -> Request {
    Request { operation, method: Method::GET, path, query, body: None, retry: Retry::Usual }
}

fn post(
    operation: Operation,
    path: String,
    body: &impl Serialize,
    query: Vec<(String, String)>,
) -> Request {
    let body = Some(json!(body).to_string().into_bytes());
    Request { method: Method::POST, body, ..get(operation, path, query) }
}

fn paged(
    operation: Operation,
    path: String,
    limit: Option<u32>,
    page_token: Option<&str>,
) -> Request {
    let limit = limit.map(|n| ("limit".to_owned(), n.to_string()));
    let token = page_token.map(|t| ("page_token".to_owned(), t.to_owned()));
    get(operation, path, limit.into_iter().chain(token).collect())
}

fn background(options: &CallOptions) -> Vec<(String, String)> {
    let asked = options.background.then(|| ("async".to_owned(), "true".to_owned()));
    asked.into_iter().collect()
}

/// Choices as query parameters, `params[key]=value` (gap G12): a list repeats the key, and what is neither
/// text nor a list is sent as JSON text.
fn choices(configuration: &Map<String, Value>) -> Vec<(String, String)> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut query = Vec::new();
    for (key, value) in configuration {
        let name = format!("params[{key}]");
        match value {
            Value::Null => {}
            Value::Array(values) => {
                query.extend(values.iter().map(|value| (name.clone(), plain(value))));
            }
            value => query.push((name, plain(value))),
        }
    }
    query
}
