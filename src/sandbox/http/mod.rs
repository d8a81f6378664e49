//! HTTP: the routes, what applies to every request, reading requests, and errors.

pub(super) mod error;

pub(super) mod base_url;
pub(super) mod extract; // reading requests
pub(super) mod paging;

pub(super) mod credentials; // middleware
pub(super) mod idempotency;
mod receive;

pub(super) mod router;
