//! Toolset "syncs": what reads models and writes to a target. Looked at, never changed.

mod get_model_sync;
mod list_model_syncs;

use super::Entry;

/// The tools, in the order in which they are listed.
pub(super) static SYNCS: &[Entry] =
    &[Entry::of::<list_model_syncs::ListModelSyncs>(), Entry::of::<get_model_sync::GetModelSync>()];
