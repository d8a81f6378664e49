//! A stand-in for the Polytomic API on this machine: an HTTP server over SQLite that official
//! clients can talk to, for trying tools and for tests where there is no account.
//!
//! It speaks version 2025-09-18 of the Models operations and of what is needed around them:
//! identity, connections, source discovery, model syncs and jobs. The business data is made up,
//! the same at every start, and only ever read; models, syncs, jobs and idempotency keys live in
//! a store of their own. Nothing of the client is used here, so that the one is a proof of the
//! other.
//!
//! ```no_run
//! use polytomic_mcp::sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! println!("{} answers to {}", sandbox.url(), sandbox.api_key());
//! sandbox.stop();
//! # Ok::<(), polytomic_mcp::sandbox::StartError>(())
//! ```

mod account; // the one user, organization and connection
mod error;

mod job; // the shapes of the API
mod model;
mod sync;

mod seed;
mod sources;
mod store;

mod state; // what handlers share

mod model_request;
mod paging;
mod requests; // reading requests

mod definition; // from a request to a model
mod sync_definition; // from a request to a model sync

mod access; // middleware
mod idempotency;

mod connections; // handlers
mod jobs;
mod models;
mod syncs;

mod router;
mod server; // starting and stopping

pub use server::{Options, Sandbox, StartError};
