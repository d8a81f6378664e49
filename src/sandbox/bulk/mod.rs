//! Bulk syncs, to read only: a new sandbox has one, with an execution made up for it. Operations that change them are not implemented.

pub(super) mod sync; // as it is stored

pub(super) mod discovery; // handlers
pub(super) mod executions;
pub(super) mod handlers;
