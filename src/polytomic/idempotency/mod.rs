//! Idempotency keys of POSTs: one for each call, carried over to the next equal call while the outcome is unknown.
//!
//! `keys` decides which key a call gets, `caller_keys` binds those that callers pass. Keys whose outcome is not known
//! are open: `storage` keeps them, in memory or, shared with the other processes of the user, in files, or with those of
//! other machines in Redis.
//!
//! Source: contract section 1.3; gap G3.

mod fingerprint;

mod files;
mod memory;
mod storage;

mod caller_keys;
mod keys;

pub(crate) use keys::ClaimedKey;
pub(super) use keys::{ClaimError, IdempotencyKeys};
pub use storage::{KeyDirectory, KeyServer, KeyStorage};
