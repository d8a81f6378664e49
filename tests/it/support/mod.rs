//! What the tests share: the one MCP client, and stand-ins for the API.

mod faulty;
mod launch;
mod sandbox;
mod session;
mod stub;

pub use faulty::{Fault, Faulty, Seen};
pub use launch::Launch;
pub(crate) use sandbox::{CONNECTION, Sandbox, client, keys, scratch_file, send, users};
pub use session::{Session, stateless};
pub use stub::{MODEL, Stub, job};

/// An id that nothing has.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
