//! Connections, their types, and what they offer to models.

mod types; // what the contract says about each type

pub(super) mod connect_session;
pub(super) mod connection; // as it is stored, and as the API returns it

pub(super) mod enrichment; // looking up people and companies

mod request; // reading and validating a request

pub(super) mod discovery; // handlers
pub(super) mod handlers;
pub(super) mod parameter_values;
pub(super) mod schemas;
pub(super) mod session;
pub(super) mod target;

pub(super) mod pages; // for a browser

pub(super) use handlers::find;
