//! Operations that the contract describes, by name: also those for which there is no method.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::contract::{Kind, Location, Operation};
use crate::polytomic::client::{CallOptions, Client};
use crate::polytomic::error::Error;
use crate::polytomic::exact_numbers::unmarked;
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::request::{Request, path_of_template};
use crate::polytomic::response::Body;

/// What a call of a described operation sends, valid by [`Operation::arguments`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperationArguments {
    /// Parameters in the path.
    pub path: Map<String, Value>,
    /// Parameters in the query string.
    pub query: Map<String, Value>,
    /// The body; without one, none is sent.
    pub body: Option<Map<String, Value>>,
}

impl Client {
    /// Calls an operation, and returns the body of its response; none if it has none. The response to an operation that redirects
    /// is `{"location": …}`; the redirect is not followed.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::InvalidPathSegment`] if a parameter in the path is missing.
    pub async fn call_operation(
        &self,
        operation: &'static Operation,
        arguments: &OperationArguments,
        options: &CallOptions,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let api_operation = ApiOperation {
            name: &operation.name,
            subject: Subject::Described,
            writes: operation.kind != Kind::Read,
            supports_async: false,
            has_conflicts: operation.has_conflicts,
        };
        let path = path_of_template(&operation.path, &arguments.path)?;
        let query = query(operation, &arguments.query);
        let request = match &arguments.body {
            Some(body) => Request::post(api_operation, path, query, body),
            None => Request::get(api_operation, path, query),
        };
        let request = Request { method: operation.method.clone(), ..request };
        let read = |body| self.read_any(&request, options, body);
        if operation.method == Method::DELETE {
            return self.send_to_delete(&request, options, read).await;
        }
        match self.send_with_retries(&request, options, read).await {
            Err(Error::Status { status: 300..=399, body, .. })
                if operation.redirects && body.location.is_some() =>
            {
                Ok(json!({"location": body.location}).as_object().cloned())
            }
            result => Ok(result?.0),
        }
    }

    /// Reads the body of a 2xx response as an object. A write may be confirmed otherwise.
    fn read_any(
        &self,
        request: &Request,
        options: &CallOptions,
        body: Body,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let is_object = body.bytes.trim_ascii_start().starts_with(b"{");
        if body.is_empty() || request.operation.writes && !is_object {
            return self.accept_any(request, body).map(|()| None);
        }
        self.read_and_validate(request, options, body, |object| Ok(Some(object)))
    }
}

/// The query string of a call.
fn query(operation: &Operation, arguments: &Map<String, Value>) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        let name = &parameter.name;
        match (parameter.location, arguments.get(name)) {
            (Location::Path, _) | (_, None | Some(Value::Null)) => {}
            (Location::DeepQuery, Some(Value::Object(properties))) => {
                for (property, value) in properties {
                    query.extend(pairs(&format!("{name}[{property}]"), value));
                }
            }
            (_, Some(value)) => query.extend(pairs(name, value)),
        }
    }
    query
}

/// One pair for a value, or one for each item of a list.
fn pairs(name: &str, value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => unmarked(text).to_owned(),
        value => value.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().map(|item| (name.to_owned(), text(item))).collect(),
        value => vec![(name.to_owned(), text(value))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;

    #[test]
    fn lists_are_repeated_and_objects_are_spelled_out() {
        for (name, arguments, expected) in [
            (
                "list_bulk_sync_statuses",
                json!({"sync_id": ["a", "b"], "all": true}),
                "all=true sync_id=a sync_id=b",
            ),
            (
                "list_bulk_sync_schemas",
                json!({"filters": {"enabled": "true", "x y": 2}}),
                "filters[enabled]=true filters[x y]=2",
            ),
            ("list_events", json!({"type": "a&b", "limit": null}), "type=a&b"),
        ] {
            let operation = Contract::embedded().operation(name).unwrap();
            let pairs = query(operation, arguments.as_object().unwrap());
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(pairs.join(" "), expected, "{name}");
        }
    }
}
