//! Shared by the tests: the MCP client, and servers in place of the API.

mod browser;
mod cargo;
pub(crate) mod contract; // of the API
mod faulty;
mod generated;
mod http;
pub mod http2;
pub(crate) mod issuer;
mod keys;
mod launch;
mod mcp_http;
mod proxy;
mod redis;
mod sandbox;
mod servers;
mod session;
mod stub;
mod terminal;
mod tls;
mod unreachable;

pub(crate) use browser::Browser;
pub use cargo::cargo;
pub use faulty::{Fault, FaultyServer, ReceivedRequest};
pub use generated::{compare_or_replace, compare_or_update, compare_or_update_part, root};
pub use http::{Server, next_frame, next_message, next_text, send_text, upgrade};
pub use keys::{KEY, Keys, Stream};
pub use launch::{Launch, Output, exit_code};
pub use mcp_http::{Era, HttpResponse, acceptance, deletion, message};
pub use proxy::{COMPANY_HOST, Proxy, at_the_company};
pub use redis::{REDIS_PASSWORD, Redis};
pub(crate) use sandbox::{
    Api, CONNECTION, ENDLESS, ENRICHMENT, Response, Sandbox, ScratchFile, TARGET, client, keys,
    scratch_file, send, users,
};
pub use servers::{CallResult, over_call, over_http, over_mcp, over_rpc, over_websocket};
pub use session::{Session, stateless};
pub use stub::{JOB_ID, MODEL, Stub, job, job_path};
pub use terminal::{Terminal, open_terminal};
pub use tls::{Company, self_signed};
pub use unreachable::{ClosedPort, UNKNOWN_HOST};

use polytomic_mcp::registry::Effect;
use polytomic_mcp::tools::TOOLS;

/// Waits until a condition holds. Panics after 20 seconds, so that a failing test does not hang.
pub async fn wait_until(description: &str, condition: impl AsyncFn() -> bool) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    let result = tokio::time::timeout(limit, polling).await;
    result.unwrap_or_else(|_| panic!("timed out waiting for {description}"));
}

/// A named pipe in a directory, which nobody reads or writes.
pub fn make_pipe(directory: &std::path::Path) -> std::path::PathBuf {
    let path = directory.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo {}", path.display());
    path
}

/// The error of a call with a key that contains 4711 and is rejected; asserts its hint, and that it does not repeat the key.
pub async fn rejected_key(url: &str, key: &str, hint: &str) -> serde_json::Value {
    let launch = Launch::against(url).variable("POLYTOMIC_API_KEY", key);
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", serde_json::json!({})).await;
    assert_eq!(error["code"], "unauthorized", "{key}: {error}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{key}: {error}");
    assert!(!error.to_string().contains("4711"), "{key}: {error}");
    error
}

/// How many of the tools that are served by default have such an effect.
pub fn count_tools(is_counted: impl Fn(Effect) -> bool) -> usize {
    TOOLS.default_entries().filter(|tool| is_counted(tool.effect)).count()
}

/// How many tools are served by default.
pub fn default_tools() -> usize {
    count_tools(|_| true)
}

/// An id that no object has.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Arguments that create a model.
pub fn definition() -> serde_json::Value {
    serde_json::json!({
        "connection_id": CONNECTION, "name": "Users", "configuration": {"table": "public.users"},
    })
}
