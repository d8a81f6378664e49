//! Operations on connections, their types and sources.
//!
//! Source: contract sections 3.4 (enrichment), 4 (sources) and 6 (connections).

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::polytomic::client::{CallOptions, Client, TypeSchema};
use crate::polytomic::error::Error;
use crate::polytomic::exact_numbers::{Reader, restore, unmarked};
use crate::polytomic::failed_request::{ApiOperation, Subject};
use crate::polytomic::repairs::RepairLog;
use crate::polytomic::request::{Request, path};
use crate::polytomic::types::{Connection, ConnectionId, ConnectionType, Field, Source};

impl Client {
    /// Lists the connections of the organization; the API does not page them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_connections(&self, options: &CallOptions) -> Result<Vec<Connection>, Error> {
        let operation = ApiOperation::read("list_connections", Subject::NoObject);
        let request = Request::get(operation, path(&["api", "connections"])?, Vec::new());
        self.send_for_list(&request, options).await
    }

    /// Gets one connection; the API masks its secrets.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_connection(
        &self,
        id: ConnectionId,
        options: &CallOptions,
    ) -> Result<Connection, Error> {
        let path = path(&["api", "connections", &id.to_string()])?;
        self.send_for_data(
            Request::get(
                ApiOperation::read("get_connection", Subject::Connection(id)),
                path,
                Vec::new(),
            ),
            options,
        )
        .await
    }

    /// Lists the connection types; the API does not page them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_connection_types(
        &self,
        options: &CallOptions,
    ) -> Result<Vec<ConnectionType>, Error> {
        let operation = ApiOperation::read("list_connection_types", Subject::NoObject);
        let request = Request::get(operation, path(&["api", "connection_types"])?, Vec::new());
        self.send_for_list(&request, options).await
    }

    /// Gets the JSON Schema (draft 2020-12) of a connection type's configuration. `id`: e.g. `postgresql`.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown type; [`Error::InvalidPathSegment`] for an empty one.
    pub async fn get_connection_type_schema(
        &self,
        id: &str,
        options: &CallOptions,
    ) -> Result<Map<String, Value>, Error> {
        let path = path(&["api", "connection_types", id])?;
        let operation = ApiOperation::read("get_connection_type_schema", Subject::ConnectionType);
        self.send_without_envelope(&Request::get(operation, path, Vec::new()), options).await
    }

    /// The schema of a connection type, for a result that is complete without it: kept once it has been read; none if it
    /// cannot be read in a few seconds.
    pub(crate) async fn known_type_schema(
        &self,
        id: &str,
        options: &CallOptions,
    ) -> Option<TypeSchema> {
        const TIME_LIMIT: Duration = Duration::from_secs(5);
        let schemas = || self.type_schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let known = schemas().get(id).cloned();
        if known.is_some() {
            return known;
        }
        // What is repaired in it is not shown.
        let options = CallOptions { repairs: Some(RepairLog::default()), ..options.clone() };
        let reading = self.get_connection_type_schema(id, &options);
        let schema = Arc::new(tokio::time::timeout(TIME_LIMIT, reading).await.ok()?.ok()?);
        schemas().insert(id.to_owned(), Arc::clone(&schema));
        Some(schema)
    }

    /// Tests a stored connection of type `kind` with its stored configuration.
    ///
    /// # Errors
    /// [`Error::Status`] with 400, 422 or the 2xx of an error without another status if the connection does not work, 404 for
    /// an unknown id.
    pub async fn test_connection(
        &self,
        id: ConnectionId,
        kind: &str,
        options: &CallOptions,
    ) -> Result<(), Error> {
        let path = path(&["api", "connections", "test"])?;
        let operation = ApiOperation::read("test_connection", Subject::Connection(id));
        let body = json!({ "connection_id": id, "type": kind, "configuration": {} });
        // No response body is documented; any 2xx of the API is a success.
        let request = Request::post(operation, path, Vec::new(), &body);
        let accept = |body| self.accept_any(&request, body);
        self.send_with_retries(&request, options, accept).await?;
        Ok(())
    }

    /// Gets what a connection can serve to a model. `configuration`: the choices made so far; values that are
    /// neither strings nor lists are sent as JSON text (gap G12).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown connection, 400 for an invalid choice.
    pub async fn get_model_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "source"])?;
        let operation = ApiOperation::read("get_model_source", Subject::Connection(id));
        self.send_for_data(Request::get(operation, path, source_query(configuration)), options)
            .await
    }

    /// Lists the fields of a source, before a model exists. `configuration`: all choices, as for
    /// [`Client::get_model_source`].
    ///
    /// # Errors
    /// As [`Client::get_model_source`].
    pub async fn get_model_source_fields(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Vec<Field>, Error> {
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "source", "fields"])?;
        let operation = ApiOperation::read("get_model_source_fields", Subject::Connection(id));
        let request = Request::get(operation, path, source_query(configuration));
        self.send_for_list(&request, options).await
    }

    /// Gets what an enrichment connection can add to the records of a model. `configuration`: the choices made
    /// so far.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for a connection that is unknown or is not an enrichment.
    pub async fn get_enrichment_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let id_part = id.to_string();
        let path = path(&["api", "connections", &id_part, "modelsync", "enrichment-source"])?;
        let operation = ApiOperation::read("get_enrichment_source", Subject::Enrichment(id));
        self.send_for_data(Request::get(operation, path, source_query(configuration)), options)
            .await
    }

    /// Lists the inputs of an enrichment; each inner list is one sufficient set.
    ///
    /// # Errors
    /// As [`Client::get_enrichment_source`].
    pub async fn get_enrichment_fields(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Vec<Vec<String>>, Error> {
        let path = path(&["api", "enrichment", &id.to_string(), "inputfields"])?;
        let operation = ApiOperation::read("get_enrichment_fields", Subject::Enrichment(id));
        let body = match configuration.is_empty() {
            true => json!({}),
            false => json!({ "configuration": configuration }),
        };
        let request = Request::post(operation, path, Vec::new(), &body);
        let sets: Option<Vec<Option<Vec<String>>>> =
            self.send_for_data_or_null(&request, options).await?;
        Ok(sets.into_iter().flatten().flatten().collect())
    }
}

/// Choices as query parameters, `params[name]=value` (gap G12): a list repeats the parameter, and any other value
/// that is not a string is sent as JSON text.
fn source_query(configuration: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| match value.as_str() {
        Some(text) => unmarked(text).to_owned(),
        None => restore(&value.to_string(), Reader::Api).into_owned(),
    };
    let mut query = Vec::new();
    for (name, value) in configuration {
        let parameter = format!("params[{name}]");
        match value {
            Value::Null => {}
            Value::Array(values) => {
                query.extend(values.iter().map(|value| (parameter.clone(), text(value))));
            }
            value => query.push((parameter, text(value))),
        }
    }
    query
}
