//! Toolset "account": who the key is.

mod get_identity;

use super::Entry;

/// The tools, in the order in which they are listed.
pub(super) static ACCOUNT: &[Entry] = &[Entry::of::<get_identity::GetIdentity>()];
