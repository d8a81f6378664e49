//! Toolset "jobs": background jobs of the API.

mod get_job;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static JOBS: &[Entry] = &[Entry::of::<get_job::GetJob>()];
