//! Toolset "api": any operation of the API, also those without a tool of their own. Served on request only.

mod call_delete_operation;
mod call_read_operation;
mod call_write_operation;
mod find_operations;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static API: &[Entry] = &[
    Entry::of::<find_operations::FindOperations>(),
    Entry::of::<call_read_operation::CallReadOperation>(),
    Entry::of::<call_write_operation::CallWriteOperation>(),
    Entry::of::<call_delete_operation::CallDeleteOperation>(),
];
