//! Which models this server has created, for `--own-only`: a server that may change those and no others.
//!
//! Ids are remembered with each create, whether the setting is on or not, so that it can be turned on later. Whatever was
//! created without being remembered counts as somebody else's.

mod calls;
mod storage;

pub(super) use calls::names_no_model;
pub(super) use storage::CreatedIds;
