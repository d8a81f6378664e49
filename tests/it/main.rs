//! Tests of the built binary, through its standard streams and its HTTP server.
#![cfg(feature = "sandbox")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "one crate, whose modules share `support`")]

mod access;
mod annotations;
mod api_keys;
mod api_toolset;
mod architecture;
mod arguments;
mod audit;
mod callers;
mod capacity;
mod chaos;
mod claims;
mod cli;
mod company_networks;
mod compat;
mod completion;
mod configuration;
mod confirmation;
mod conformance;
mod contributing;
mod definitions;
mod demo;
mod deploy;
mod describe_model;
mod docs;
mod doctor;
mod doubtful_responses;
mod empty_values;
mod endings;
mod envelope;
mod eras;
mod error_texts;
mod errors;
mod exact_values;
mod framing;
mod hidden_tools;
mod http;
mod id_arguments;
mod ids;
mod lenient;
mod lists;
mod login;
mod masking;
mod mcp_http;
mod model_secrets;
mod model_syncs;
mod new_source;
mod oauth;
mod openrpc;
mod overwritten_secrets;
mod own_only;
mod packaging;
mod paging;
mod parity;
mod progress;
mod prompts;
mod reference_examples;
mod registry;
mod resource;
mod resource_templates;
mod responses;
mod retries;
mod rpc;
mod safe_writes;
mod sandbox;
mod secrets;
mod services;
mod settings_file;
mod setup;
mod shared_state;
mod stdio;
mod support;
mod terminal;
mod tls;
mod tools;
mod truncation;
mod unread;
mod update;
mod wording;
