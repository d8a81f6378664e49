//! What clients create: models, syncs, jobs and idempotency keys, in one SQLite database with one
//! connection. Every access is one short transaction on a blocking thread.

mod open; // opening a file, running a transaction

mod pages; // lists of models and of syncs

mod idempotency; // one file per table
mod jobs;
mod models;
mod syncs;

pub(super) use idempotency::{Claim, StoredResponse};
pub(super) use open::{OpenError, Store};
pub(super) use pages::{Page, PageRequest, Position};
pub(super) use syncs::SyncFilter;
