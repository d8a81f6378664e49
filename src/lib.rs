//! Typed, careful tools over the Polytomic API.
pub mod polytomic;
pub mod tools;
