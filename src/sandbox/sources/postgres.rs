//! PostgreSQL servers, read over the network in a read-only transaction.

use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::AbortOnDropHandle;

use crate::sandbox::connections::connection::Connection;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::authorizer::check_first_keyword;
use crate::sandbox::sources::catalog::{Catalog, Relation};
use crate::sandbox::sources::reader::{Column, MAX_RESULT_BYTES, Selection, Table};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The tables and views that the user may read, with the columns of primary keys and those that are unique on their own.
const RELATIONS: &str = include_str!("postgres.sql");

/// A database of a server.
#[derive(Debug)]
pub(super) struct Postgres {
    config: Config,
    /// Host and port, as errors name them.
    address: String,
}

/// A connection in a transaction that may only read. The server ends it when this is dropped.
struct Session {
    client: Client,
    _connection: AbortOnDropHandle<()>,
}

impl Postgres {
    /// # Errors
    /// 400 for settings that the sandbox does not support.
    pub(super) fn new(connection: &Connection) -> Result<Self, ApiError> {
        let is_set = |name: &str| connection.configuration.get(name) == Some(&Value::Bool(true));
        for (name, what) in [("ssl", "TLS"), ("ssh", "a tunnel"), ("client_certs", "certificates")]
        {
            if is_set(name) {
                return Err(ApiError::invalid(format!(
                    "configuration.{name}: the sandbox connects without {what} only; set it to false."
                )));
            }
        }
        let text = |name: &str| connection.setting(name).unwrap_or_default();
        let port = connection.configuration.get("port").and_then(Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok()).ok_or_else(|| {
            ApiError::invalid("configuration.port: expected a number from 0 to 65535.")
        })?;
        let mut config = Config::new();
        config
            .host(text("hostname"))
            .port(port)
            .dbname(text("database"))
            .user(text("username"))
            .password(text("password"))
            .application_name("polytomic-mcp sandbox")
            .connect_timeout(CONNECT_TIMEOUT);
        Ok(Self { config, address: format!("{}:{port}", text("hostname")) })
    }

    async fn connect(&self, timeout: Duration) -> Result<Session, ApiError> {
        let error = |error: tokio_postgres::Error| {
            let reason = message(&error);
            ApiError::invalid(format!("PostgreSQL at {} cannot be read: {reason}", self.address))
        };
        let (client, connection) = self.config.connect(NoTls).await.map_err(error)?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // Its errors are those of the statements.
            let _ = connection.await;
        }));
        let milliseconds = timeout.as_millis().max(1);
        let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}");
        client.batch_execute(&begin).await.map_err(error)?;
        Ok(Session { client, _connection: connection })
    }

    /// Reads the schemas.
    ///
    /// # Errors
    /// 400 if the server cannot be read.
    pub(super) async fn catalog(&self, timeout: Duration) -> Result<Catalog, ApiError> {
        let session = self.connect(timeout).await?;
        self.catalog_of(&session).await
    }

    async fn catalog_of(&self, session: &Session) -> Result<Catalog, ApiError> {
        let rows =
            session.client.query(RELATIONS, &[]).await.map_err(|error| to_api_error(&error))?;
        let relation = |row: &tokio_postgres::Row| {
            let primary_key: Vec<String> = row.try_get(3)?;
            Ok(Relation {
                schema: row.try_get(0)?,
                name: row.try_get(1)?,
                is_view: row.try_get(2)?,
                primary_key,
                unique_columns: row.try_get(4)?,
            })
        };
        let relations: Result<Vec<Relation>, tokio_postgres::Error> =
            rows.iter().map(relation).collect();
        Ok(Catalog::of(relations.map_err(|error| to_api_error(&error))?))
    }

    /// Reads the columns and at most `max_rows` rows of a selection.
    ///
    /// # Errors
    /// 400 for an invalid selection, or if the server cannot be read.
    pub(super) async fn read(
        &self,
        selection: &Selection,
        max_rows: usize,
        timeout: Duration,
    ) -> Result<Table, ApiError> {
        let session = self.connect(timeout).await?;
        let catalog;
        let (sql, relation) = match selection {
            Selection::Query(query) => {
                check_first_keyword(query)?;
                let end = |c: char| c == ';' || c.is_whitespace();
                (query.trim_end_matches(end).to_owned(), None)
            }
            Selection::Table(name) | Selection::View(name) => {
                catalog = self.catalog_of(&session).await?;
                let is_view = matches!(selection, Selection::View(_));
                let relation = catalog.find(name, is_view).map_err(ApiError::invalid)?;
                (format!("SELECT * FROM {}", quoted(relation)), Some(relation))
            }
        };
        let error = |error: tokio_postgres::Error| to_api_error(&error);
        // Alone first: what is valid only within the statement below must not run.
        let statement = session.client.prepare(&sql).await.map_err(error)?;
        if !statement.params().is_empty() {
            return Err(ApiError::invalid("query: parameters such as $1 are not supported."));
        }
        let types: Vec<(String, Type)> = statement
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.type_().clone()))
            .collect();
        for (index, (name, _)) in types.iter().enumerate() {
            if types.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(format!(
                    "query: duplicate column \"{name}\"; rename one with AS."
                )));
            }
        }
        // The server bounds a row, which would be received as a whole.
        let rows = format!(
            "SELECT left(row_to_json(q)::text, {}) FROM (\n{sql}\n) q LIMIT {max_rows}",
            MAX_RESULT_BYTES + 1
        );
        let parameters: [&str; 0] = [];
        let mut stream = pin!(session.client.query_raw(&rows, parameters).await.map_err(error)?);
        let (mut rows, mut bytes) = (Vec::new(), 0_usize);
        while let Some(row) = stream.try_next().await.map_err(error)? {
            let text: &str = row.try_get(0).map_err(error)?;
            bytes = bytes.saturating_add(text.len());
            if bytes > MAX_RESULT_BYTES {
                return Err(ApiError::invalid(format!(
                    "The first {max_rows} rows exceed {MAX_RESULT_BYTES} bytes; select fewer or smaller columns."
                )));
            }
            let mut record: Map<String, Value> =
                serde_json::from_str(text).map_err(|error| ApiError::internal(&error))?;
            let value = |(name, r#type): &(String, Type)| {
                to_value(r#type, record.remove(name).unwrap_or_default())
            };
            rows.push(types.iter().map(value).collect());
        }
        Ok(Table { columns: columns(types, relation, &rows), rows })
    }
}

fn quoted(relation: &Relation) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("{}.{}", quoted(&relation.schema), quoted(&relation.name))
}

fn columns(
    types: Vec<(String, Type)>,
    relation: Option<&Relation>,
    rows: &[Vec<Value>],
) -> Vec<Column> {
    let column = |(index, (name, r#type)): (usize, (String, Type))| {
        let mut values = rows.iter().filter_map(|row| row.get(index));
        let example = values.find(|value| !value.is_null()).cloned().unwrap_or_default();
        Column {
            field_type: field_type(&r#type, &example),
            remote_type: r#type.name().to_owned(),
            is_primary_key: relation.is_some_and(|relation| relation.primary_key.contains(&name)),
            is_unique: relation.is_some_and(|relation| relation.unique_columns.contains(&name)),
            example,
            name,
        }
    };
    types.into_iter().enumerate().map(column).collect()
}

fn field_type(r#type: &Type, example: &Value) -> &'static str {
    match (r#type.kind(), r#type.name()) {
        (Kind::Array(_), _) => "array",
        (Kind::Domain(base), _) => field_type(base, example),
        (_, "bool") => "boolean",
        (_, "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" | "oid") => "number",
        (_, "timestamp" | "timestamptz" | "date") => "datetime",
        (_, "json" | "jsonb") if example.is_array() => "array",
        (_, "json" | "jsonb") => "object",
        (_, "bytea") => "binary",
        _ => "string",
    }
}

/// A value that PostgreSQL has converted to JSON. Only that of binary data is not what the API has.
fn to_value(r#type: &Type, value: Value) -> Value {
    match &value {
        Value::String(hex) if *r#type == Type::BYTEA => match decode_hex(hex) {
            Some(bytes) => STANDARD.encode(bytes).into(),
            None => value,
        },
        _ => value,
    }
}

/// Decodes `\x00ff`.
fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

fn to_api_error(error: &tokio_postgres::Error) -> ApiError {
    let read_only = SqlState::READ_ONLY_SQL_TRANSACTION;
    match error.code() {
        Some(code) if *code == read_only => {
            ApiError::invalid("query: the statement is not read-only.")
        }
        _ => ApiError::invalid(format!("query: PostgreSQL error: {}", message(error))),
    }
}

/// What the server says, or why it cannot be reached.
fn message(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(error), _) => error.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
