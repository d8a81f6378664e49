//! Typed, careful tools over the Polytomic API, for AI assistants, editors and scripts.
//!
//! A call takes one path: a server (`mcp`, `jsonrpc` or the command line) reads it, the [`registry`] validates its
//! arguments and runs a tool ([`tools`]), the tool uses the client ([`polytomic`]), and the result returns as JSON
//! text. A server knows the registry and never a tool; a tool knows the client and never a server; the client knows
//! the types of the API and never a tool. The sandbox implements the API and shares no type with the client.
//! `docs/architecture.md` has the map.
pub mod cli;
pub mod config;
pub mod contract;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod jsonrpc;
mod log;
mod mcp;
pub mod polytomic;
pub mod registry;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod state;
mod stderr;
mod stdio;
pub mod tools;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
