//! Toolset "connections": the databases, warehouses and apps that models read from.

mod list_connections;

use super::Entry;

/// The tools, in the order in which they are listed.
pub(super) static CONNECTIONS: &[Entry] = &[Entry::of::<list_connections::ListConnections>()];
