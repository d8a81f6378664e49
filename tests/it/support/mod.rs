//! What the tests share: the one MCP client, and stand-ins for the API.

mod launch;
mod session;
mod stub;

pub use launch::Launch;
pub use session::{Session, stateless};
pub use stub::{Stub, job};

/// The sandbox's one connection.
pub const CONNECTION: &str = "248df4b7-aa70-47b8-a036-33ac447e668d";

/// An id that nothing has.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
