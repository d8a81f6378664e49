//! Model syncs: which fields of which models are written where.

pub(super) mod sync; // as the API returns it

mod definition; // from a request to a sync

pub(super) mod handlers;
pub(super) mod settings;
