//! Typed, careful tools over the Polytomic API, for AI assistants, editors and scripts.
//!
//! A call goes one way: a face (`mcp`) reads it from its streams, the registry ([`tools`]) checks it
//! and runs the operation, the operation uses the client ([`polytomic`]), and the result goes back as
//! JSON text. A face knows the registry and never a tool; a tool knows the client and never a face; the
//! client knows the wire types and never a tool. The sandbox stands in for the API and knows none of
//! these. `docs/architecture.md` has the map.
pub mod commands;
pub mod config;
mod jsonrpc;
mod log;
mod mcp;
pub mod polytomic;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod tools;
mod wire;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
