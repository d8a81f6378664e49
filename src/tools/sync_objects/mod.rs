//! What tools that show or change syncs and their executions share.

mod execution;
mod sync_change; // a change that may have to be confirmed

pub(super) use execution::{ShownExecution, shown_execution};
pub(super) use sync_change::{
    NamedSync, SyncChange, check_name, confirm_for_sync, current_sync, describe, describe_target,
    shown_sync,
};
