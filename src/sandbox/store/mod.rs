//! What the sandbox is told and must remember: models, syncs, jobs, idempotency keys, in one
//! SQLite database with one connection. Every use is one short transaction on a blocking thread.

mod open;

mod idempotency;
mod jobs;
mod models;
mod pages; // of models and of syncs
mod syncs;

pub(super) use idempotency::{Claim, StoredResponse};
pub(super) use open::{OpenError, Store};
pub(super) use pages::{Page, PageRequest, Position};
pub(super) use syncs::SyncFilter;
