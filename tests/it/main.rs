//! The tests that go through the front door: the real binary over its pipes.
#![cfg(feature = "sandbox")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "one crate, whose modules share what they have")]

mod answers;
mod architecture;
mod arguments;
mod bounds;
mod cli;
mod compat;
mod configuration;
mod contributing;
mod demo;
mod docs;
mod effects;
mod eras;
mod failures;
mod guide;
mod http;
mod lists;
mod openrpc;
mod outputs;
mod paging;
mod parity;
mod progress;
mod registry;
mod retries;
mod rpc;
mod safety;
mod sandbox;
mod stdio;
mod support;
mod tls;
mod tools;
mod update;
mod wording;
