//! The sources of the connections.

use std::path::Path;
use std::sync::Arc;

use crate::sandbox::connections::connection::Connection;
use crate::sandbox::http::error::ApiError;
use crate::sandbox::sources::database::{DEFAULT_SCHEMA, Database, Schema};
#[cfg(feature = "postgres")]
use crate::sandbox::sources::postgres::Postgres;
use crate::sandbox::sources::readers::Readers;
use crate::sandbox::sources::source::Source;

/// The path of the database that the sandbox brings along for syncs to write to.
pub(in crate::sandbox) const TARGET: &str = ":target:";

/// The types that the sandbox can read.
const READABLE: &str = if cfg!(feature = "postgres") { "sqlite or postgresql" } else { "sqlite" };

/// The sources that the sandbox brings along, and the threads that read those and any other.
#[derive(Debug)]
pub(in crate::sandbox) struct Sources {
    /// By the path that connections name in their configuration, such as `:shop:`.
    built_in: Vec<(&'static str, Source)>,
    /// The URI of the database at `TARGET`.
    target: String,
    readers: Arc<Readers>,
}

impl Sources {
    pub(in crate::sandbox) fn new(
        built_in: Vec<(&'static str, Vec<Schema>)>,
        target: String,
    ) -> rusqlite::Result<Self> {
        let readers = Arc::new(Readers::new());
        let source = |(path, schemas)| Ok((path, Source::fixed(schemas, Arc::clone(&readers))?));
        let mut built_in: Vec<_> =
            built_in.into_iter().map(source).collect::<rusqlite::Result<_>>()?;
        let schema = Schema { name: DEFAULT_SCHEMA.to_owned(), uri: target.clone() };
        built_in.push((TARGET, Source::changing(vec![schema], Arc::clone(&readers))));
        Ok(Self { built_in, target, readers })
    }

    /// The source of a connection; `None` if the sandbox has no way to its service.
    pub(in crate::sandbox) fn find(
        &self,
        connection: &Connection,
    ) -> Option<Result<Source, ApiError>> {
        match connection.r#type.as_str() {
            "sqlite" => Some(self.sqlite(connection.setting("path").unwrap_or_default())),
            #[cfg(feature = "postgres")]
            "postgresql" => {
                let postgres = Postgres::new(connection);
                Some(postgres.map(|server| Source::server(server, Arc::clone(&self.readers))))
            }
            _ => None,
        }
    }

    /// A source that the sandbox brings along.
    pub(in crate::sandbox) fn built_in(&self, path: &str) -> Result<&Source, ApiError> {
        let found = self.built_in.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, source)| source)
            .ok_or_else(|| ApiError::internal(&"no such built-in source"))
    }

    /// The paths of the sources that the sandbox brings along.
    pub(in crate::sandbox) fn built_in_paths(&self) -> impl Iterator<Item = &'static str> {
        self.built_in.iter().map(|(path, _)| *path)
    }

    fn sqlite(&self, path: &str) -> Result<Source, ApiError> {
        match self.built_in.iter().find(|(name, _)| *name == path) {
            Some((_, source)) => Ok(source.clone()),
            None => Source::file(Path::new(path), Arc::clone(&self.readers)),
        }
    }

    /// The source of a connection that a model reads from.
    ///
    /// # Errors
    /// 400 if it cannot be one.
    pub(in crate::sandbox) fn open(&self, connection: &Connection) -> Result<Source, ApiError> {
        if !connection.connection_type()?.is_source() {
            return Err(ApiError::invalid(format!(
                "Connection {} is of type {}, which is not a source.",
                connection.id, connection.r#type
            )));
        }
        connection.check_usable()?;
        self.find(connection).unwrap_or_else(|| {
            Err(ApiError::invalid(format!(
                "Connection {} is of type {}, which the sandbox cannot read; use one of type {READABLE}.",
                connection.id, connection.r#type
            )))
        })
    }

    /// The URI of the target that the sandbox brings along.
    pub(in crate::sandbox) fn target(&self) -> &str {
        &self.target
    }

    /// The URI of the database that syncs to a connection write to.
    ///
    /// # Errors
    /// 400 if it cannot be a target.
    pub(in crate::sandbox) fn writable(&self, connection: &Connection) -> Result<String, ApiError> {
        let id = connection.id;
        connection.check_usable()?;
        if connection.r#type != "sqlite" {
            return Err(ApiError::invalid(format!(
                "Connection {id} is of type {}, which the sandbox cannot write to; use one of type sqlite.",
                connection.r#type
            )));
        }
        let path = connection.setting("path").unwrap_or_default();
        if path == TARGET {
            return Ok(self.target.clone());
        }
        if self.built_in.iter().any(|(name, _)| *name == path) {
            return Err(ApiError::invalid(format!(
                "Connection {id} is the read-only data of the sandbox; write to one with the path {TARGET} or of a file."
            )));
        }
        Database::target_file(Path::new(path))
    }
}
