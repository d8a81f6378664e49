//! A typed client of the Polytomic API, usable as a library without the other modules of this crate.
//!
//! [`Client`] has a method for each operation, [`Error`] says what went wrong, and `types` holds the
//! request and response bodies. Nothing here knows about tools, servers or the sandbox.
#![warn(missing_docs)]

mod auth;
mod base_url;
mod configuration_error;
mod connection_failure;
mod decimals;
mod exact_numbers;
mod invisible;
mod json_path;
mod json_text;
mod lenient_json;
mod proxy;
mod repairs;
mod repeated_names;
mod service_facts;
mod sha256;
mod user_files;

mod types;

mod error;
mod error_body;
mod failed_request;
mod outcome;
mod reading;
mod request;
mod response;

mod idempotency;
mod retry;
mod time_limit;
mod write_gate;

mod client_config;
mod http_client;

mod client;
mod exchange;
mod polling;
mod probe;
mod send;
mod send_with_retries;

mod operations;

pub(crate) use auth::REDACTED;
pub use auth::{Credential, KeyDefect};
pub use base_url::BaseUrl;
pub use client::{AttemptListener, CallOptions, Client, FinishedAttempt, RetryListener, Service};
pub use client_config::{API_VERSION, ClientConfig};
pub use configuration_error::ConfigurationError;
pub use connection_failure::{ProxyRefusal, TlsFailure};
pub use error::Error;
pub(crate) use error::error_chain;
pub use error_body::ErrorBody;
#[cfg(any(fuzzing, test))]
pub(crate) use exact_numbers::inexact_to_strings;
pub use exact_numbers::marked_number;
pub(crate) use exact_numbers::{Reader, is_marked, is_same_value, mark, restore, round, unmarked};
pub use failed_request::{ApiOperation, Attempts, EarlierResponse, FailedRequest, Subject};
pub(crate) use http_client::read_certificates;
pub(crate) use idempotency::ClaimedKey;
pub use idempotency::{KeyDirectory, KeyServer, KeyStorage};
pub(crate) use invisible::is_invisible;
pub use operations::OperationArguments;
pub(crate) use probe::ProbeResult;
pub(crate) use proxy::{ignored_proxy_variable, proxy_for};
#[cfg(any(fuzzing, test))]
pub(crate) use reading::read as read_response;
pub(crate) use reading::read_again;
pub use repairs::RepairLog;
pub use response::Response;
#[cfg(any(fuzzing, test))]
pub(crate) use retry::parse_retry_after;
pub(crate) use service_facts::ServiceFacts;
pub(crate) use sha256::{Sha256, sha256, to_hex};
pub use types::*;
pub(crate) use user_files::{
    create_private_directory, private_file, read_small_file, read_small_text, warn_about_state,
};
pub use write_gate::{WriteGate, WriteGateFn};
