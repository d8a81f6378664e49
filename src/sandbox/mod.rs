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

mod access;
mod app; // routes and what holds for every request
mod refusal;
mod server; // starting and stopping

mod connections;
mod jobs;
mod models;
mod syncs;

mod definition; // from a request to a model
mod idempotency;
mod paging;
mod requests;
mod sync_definition; // from a request to a model sync

mod seed;
mod sources;
mod store;

pub use server::{Options, Sandbox, StartError};
