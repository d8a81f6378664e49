//! Connections, their types, and their sources.

pub(super) mod handlers;
