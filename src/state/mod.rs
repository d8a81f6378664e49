//! What several servers share over Redis: open idempotency keys, the ids of created models, what confirmations need, and
//! cancellations.
//!
//! `url` says where it is, `connection` runs commands within a short time, `open_keys` claims keys, `created` knows ids,
//! `questions` is what an MCP server over HTTP needs for confirmations (in memory as well, for a single server), and
//! `cancels` passes cancellations on. Redis holds only hashes, ids, keys, times and nonces, and everything in it expires.
//!
//! A single Redis server, or a primary with replicas behind one address: scripts use keys that they compute, which a
//! cluster does not allow.

mod unavailable;
mod url;

mod connection;
mod pending; // work that outlives the call it belongs to

mod cancels;
mod created;
mod open_keys;

mod memory;
mod questions;

pub use cancels::{Cancels, cancel_name};
pub use connection::SharedState;
pub use memory::{NONCE_BYTES, NonceBytes};
pub use open_keys::HeldKey;
pub use questions::{QuestionStore, SealingKey, SealingKeys};
pub use unavailable::StateUnavailable;
pub(crate) use url::masked;
pub use url::{InvalidStateUrl, StateUrl};

/// The beginning of every key and channel.
const PREFIX: &str = "polytomic-mcp:";
