//! What clients create: models, syncs, jobs and idempotency keys, in one SQLite database that several processes may share.
//!
//! Every request is one transaction. A change commits the outcome of its idempotency key with itself, so that the key and
//! what it made are never apart. Work that outlives its request is owned by a process; when that ends, others notice.

mod migrations; // the schema, version by version
mod owner; // which processes are alive

mod open; // opening a file, running a transaction
mod transaction;

mod objects; // what the tables have in common

pub(super) mod administration; // the clock, a reset, an overview
pub(super) mod bulk_syncs; // one file per table
pub(super) mod connect_sessions;
pub(super) mod connections;
pub(super) mod executions;
pub(super) mod idempotency;
pub(super) mod jobs;
pub(super) mod models;
pub(super) mod syncs;

pub(super) use objects::{Page, PageRequest, Position};
pub(super) use open::{APPLICATION_ID, OpenError, Store};
pub(super) use transaction::{Tx, format_time};
