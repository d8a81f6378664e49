//! Connections, their types, and their sources.

pub(super) mod handlers;

pub(super) use handlers::CONNECTION;
