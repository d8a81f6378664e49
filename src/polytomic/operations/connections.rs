//! The operations on connections, their types, and what can be read through them.
//!
//! Source: contract sections 3.4 (enrichment), 4 (sources) and 6 (connections).

use serde_json::{Map, Value, json};

use super::{choices, get, post, reading};
use crate::polytomic::error::Subject;
use crate::polytomic::exchange::path;
use crate::polytomic::types::{Connection, ConnectionId, ConnectionType, Field, Source};
use crate::polytomic::{CallOptions, Client, Error};

impl Client {
    /// Lists the connections of the organization; the API does not page them.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_connections(&self, options: &CallOptions) -> Result<Vec<Connection>, Error> {
        let operation = reading("list_connections", Subject::Everything);
        let request = get(operation, path(&["api", "connections"])?, Vec::new());
        Ok(self.data_or_null(&request, options).await?.unwrap_or_default())
    }

    /// Reads one connection; secrets come masked.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown id.
    pub async fn get_connection(
        &self,
        id: ConnectionId,
        options: &CallOptions,
    ) -> Result<Connection, Error> {
        let path = path(&["api", "connections", &id.to_string()])?;
        self.data(
            get(reading("get_connection", Subject::Connection(id)), path, Vec::new()),
            options,
        )
        .await
    }

    /// Lists the types that connections can have; the API does not page them.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list_connection_types(
        &self,
        options: &CallOptions,
    ) -> Result<Vec<ConnectionType>, Error> {
        let operation = reading("list_connection_types", Subject::Everything);
        let request = get(operation, path(&["api", "connection_types"])?, Vec::new());
        Ok(self.data_or_null(&request, options).await?.unwrap_or_default())
    }

    /// Reads the JSON Schema (draft 2020-12) of a type's connection configuration. `id`: e.g. `postgresql`.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown type; [`Error::PathPart`] for one that names nothing.
    pub async fn get_connection_type_schema(
        &self,
        id: &str,
        options: &CallOptions,
    ) -> Result<Map<String, Value>, Error> {
        let path = path(&["api", "connection_types", id])?;
        let operation = reading("get_connection_type_schema", Subject::ConnectionType);
        self.read(&get(operation, path, Vec::new()), options).await
    }

    /// Tests a stored connection of type `kind` with the values it has.
    ///
    /// # Errors
    /// [`Error::Status`] with 400 or 422 when it does not work, 404 for an unknown id.
    pub async fn test_connection(
        &self,
        id: ConnectionId,
        kind: &str,
        options: &CallOptions,
    ) -> Result<(), Error> {
        let path = path(&["api", "connections", "test"])?;
        let operation = reading("test_connection", Subject::Connection(id));
        let body = json!({ "connection_id": id, "type": kind, "configuration": {} });
        // No body is documented, and any 2xx is a success.
        let request = post(operation, path, &body, Vec::new());
        self.send(&request, options, |_| Ok(())).await?;
        Ok(())
    }

    /// What a connection can serve to a model. `configuration`: the choices made so far; values that
    /// are neither text nor lists are sent as JSON text (gap G12 for the spelling).
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for an unknown connection, 400 for a choice it does not take.
    pub async fn get_model_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let path = path(&["api", "connections", &id.to_string(), "modelsync", "source"])?;
        let operation = reading("get_model_source", Subject::Connection(id));
        self.data(get(operation, path, choices(configuration)), options).await
    }

    /// The fields of a source, before there is a model. `configuration`: all choices, spelled as for
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
        let operation = reading("get_model_source_fields", Subject::Connection(id));
        let request = get(operation, path, choices(configuration));
        Ok(self.data_or_null(&request, options).await?.unwrap_or_default())
    }

    /// What a connection can add to the records of a model. `configuration`: the choices made so far.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 for a connection that is unknown or cannot enrich.
    pub async fn get_enrichment_source(
        &self,
        id: ConnectionId,
        configuration: &Map<String, Value>,
        options: &CallOptions,
    ) -> Result<Source, Error> {
        let id_part = id.to_string();
        let path = path(&["api", "connections", &id_part, "modelsync", "enrichment-source"])?;
        let operation = reading("get_enrichment_source", Subject::Enrichment(id));
        self.data(get(operation, path, choices(configuration)), options).await
    }

    /// The inputs that an enrichment takes; each inner list is one sufficient set.
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
        let operation = reading("get_enrichment_fields", Subject::Enrichment(id));
        let body = match configuration.is_empty() {
            true => json!({}),
            false => json!({ "configuration": configuration }),
        };
        let request = post(operation, path, &body, Vec::new());
        let sets: Option<Vec<Option<Vec<String>>>> = self.data_or_null(&request, options).await?;
        Ok(sets.into_iter().flatten().flatten().collect())
    }
}
