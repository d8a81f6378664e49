//! The warehouse: the data of the shop as analysts keep it, in two schemas.

use rusqlite::Connection;

use crate::sandbox::seed::database::{Shop, memory_uri, open_memory};
use crate::sandbox::sources::Schema;

/// Databases in memory. They exist as long as this value.
pub(in crate::sandbox) struct Warehouse {
    _connection: Connection,
    schemas: Vec<Schema>,
}

impl Warehouse {
    pub(in crate::sandbox) fn schemas(&self) -> Vec<Schema> {
        self.schemas.clone()
    }
}

/// Creates the warehouse from the data of the shop.
pub(in crate::sandbox) fn create_warehouse(shop: &Shop) -> rusqlite::Result<Warehouse> {
    let schema = |name: &str| Schema { name: name.to_owned(), uri: memory_uri() };
    let schemas = vec![schema("sales"), schema("marketing")];
    let connection = open_memory("file::memory:")?;
    for Schema { name, uri } in &schemas {
        connection.execute("ATTACH ?1 AS ?2", [uri, name])?;
    }
    for Schema { uri, .. } in shop.schemas() {
        connection.execute("ATTACH ?1 AS shop", [format!("{uri}&mode=ro")])?;
    }
    connection.execute_batch(include_str!("warehouse.sql"))?;
    connection.execute("DETACH shop", [])?;
    Ok(Warehouse { _connection: connection, schemas })
}
