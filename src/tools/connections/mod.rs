//! Toolset "connections": the databases, warehouses and apps that models read from, and their types.

mod get_connection;
mod get_connection_type_schema;
mod list_connection_types;
mod list_connections;
mod test_connection;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static CONNECTIONS: &[Entry] = &[
    Entry::of::<list_connections::ListConnections>(),
    Entry::of::<get_connection::GetConnection>(),
    Entry::of::<test_connection::TestConnection>(),
    Entry::of::<list_connection_types::ListConnectionTypes>(),
    Entry::of::<get_connection_type_schema::GetConnectionTypeSchema>(),
];
