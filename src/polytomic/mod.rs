//! A typed client of the Polytomic API, usable as a library without any other room of this crate.
//!
//! [`Client`] has a method for each operation; [`Error`] says what went wrong; the bodies are in
//! `types`. Nothing here knows of tools, faces or the sandbox.
#![warn(missing_docs)]

mod auth;
mod base_url;
mod client;
mod error;
mod exchange;
mod jobs;
mod keys;
mod operations;
mod retry;
mod types;

pub use auth::Credential;
pub use base_url::BaseUrl;
pub use client::{API_VERSION, CallOptions, Client, ClientConfig};
pub use error::{Endpoint, Error, ErrorBody, Operation, Subject};
pub(crate) use exchange::chain;
pub(crate) use keys::Key;
pub use retry::Tries;
pub use types::*;
