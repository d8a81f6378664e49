//! The contract of the API: all its operations with their parameters and bodies, and a search over them.
//!
//! It is an OpenAPI document of API version 2025-09-18, embedded and compressed; reading it takes some 20 ms, once.
//! Its facts come from Polytomic's SDKs and reference pages, so that it may know less than the API.

mod document; // the embedded text
mod operation;
mod schemas; // schemas without references
mod search;

pub use document::Contract;
pub use operation::{Kind, Location, Operation, Parameter};
