//! Toolset "account": the identity of the API key.

mod get_identity;

use crate::registry::Entry;

/// The tools, in the order in which they are listed.
pub(super) static ACCOUNT: &[Entry] = &[Entry::of::<get_identity::GetIdentity>()];
