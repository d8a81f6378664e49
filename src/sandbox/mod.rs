//! An embedded stand-in for the Polytomic API: an HTTP server over SQLite, for trying the tools and for
//! tests without an account. Any Polytomic client can connect to it.
//!
//! It implements version 2025-09-18 of the Models operations and what they depend on: identity,
//! connections, source discovery, model syncs with their executions, and jobs; bulk syncs can be read. The business
//! data is made up, identical at every start, and read-only; models, syncs, jobs and idempotency keys live in a
//! separate store, and what syncs write in the database of their target. No sync runs by its schedule. It shares no
//! code with the client, so that testing one against the other finds the mistakes of both.
//!
//! ```no_run
//! use polytomic_mcp::sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! println!("{} accepts the key {}", sandbox.url(), sandbox.api_key());
//! sandbox.stop();
//! # Ok::<(), polytomic_mcp::sandbox::StartError>(())
//! ```

mod accounts; // users, organizations and API keys
mod contract; // the operations of the API

mod seed; // the business data
mod sources; // reading the business data
mod store; // models, syncs, jobs and idempotency keys

mod state; // what handlers share
mod testing; // faults on demand, the log of requests, and the page to watch

mod bulk; // one module per kind of object
mod connections;
mod executions;
mod jobs;
mod models;
mod syncs;

mod http;
mod server; // starting and stopping

pub use accounts::Keys;
pub use seed::SeedData;
pub use server::{Options, Sandbox, StartError};
pub use testing::{FaultRule, InvalidRule};
