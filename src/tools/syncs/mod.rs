//! Toolset "syncs": the model syncs that read from models and write to a target, and their executions. Those that list and get
//! syncs are served by default; the others are on request.

mod cancel_model_sync;
mod create_model_sync;
mod delete_model_sync;
mod get_model_sync;
mod get_model_sync_execution;
mod get_target_fields;
mod get_target_objects;
mod list_model_sync_executions;
mod list_model_syncs;
mod start_model_sync;
mod update_model_sync;

use crate::registry::Entry;

/// The tools that are served by default, in the order in which they are listed.
pub(super) static SYNCS: &[Entry] =
    &[Entry::of::<list_model_syncs::ListModelSyncs>(), Entry::of::<get_model_sync::GetModelSync>()];

/// The others.
pub(super) static MORE_SYNCS: &[Entry] = &[
    Entry::of::<create_model_sync::CreateModelSync>(),
    Entry::of::<update_model_sync::UpdateModelSync>(),
    Entry::of::<delete_model_sync::DeleteModelSync>(),
    Entry::of::<start_model_sync::StartModelSync>(),
    Entry::of::<cancel_model_sync::CancelModelSync>(),
    Entry::of::<list_model_sync_executions::ListModelSyncExecutions>(),
    Entry::of::<get_model_sync_execution::GetModelSyncExecution>(),
    Entry::of::<get_target_objects::GetTargetObjects>(),
    Entry::of::<get_target_fields::GetTargetFields>(),
];
