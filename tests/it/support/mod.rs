//! What the tests share: the one MCP client, and stand-ins for the API.

mod faulty;
mod launch;
mod sandbox;
mod servers;
mod session;
mod stub;

pub use faulty::{Fault, FaultyServer, ReceivedRequest};
pub use launch::Launch;
pub(crate) use sandbox::{CONNECTION, Sandbox, client, keys, scratch_file, send, users};
pub use servers::{over_call, over_mcp, over_rpc};
pub use session::{Session, stateless};
pub use stub::{MODEL, Stub, job};

/// Waits until something is so. Panics where it takes too long, rather than hang.
pub async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// An id that nothing has.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A model to be saved, as a caller gives it.
pub fn definition() -> serde_json::Value {
    serde_json::json!({
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"},
    })
}
