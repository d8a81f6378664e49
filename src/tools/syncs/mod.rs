//! Toolset "syncs": the model syncs that read from models and write to a target. Read only.

mod get_model_sync;
mod list_model_syncs;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static SYNCS: &[Entry] =
    &[Entry::of::<list_model_syncs::ListModelSyncs>(), Entry::of::<get_model_sync::GetModelSync>()];
