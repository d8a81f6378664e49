//! Toolset "models_extra": what an agent learns of a model by one call instead of several. Served on request only.

mod describe_model;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static MODELS_EXTRA: &[Entry] = &[Entry::of::<describe_model::DescribeModel>()];
