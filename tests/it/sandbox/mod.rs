//! The sandbox, tested over HTTP.

mod access; // authentication, headers, unknown paths, malformed requests
mod connect; // what a user completes in a browser
mod connections;
mod contract; // which operations there are
mod enrichment; // made-up companies and people
mod hostile; // statements that must not run, or must be stopped
mod idempotency;
mod jobs;
mod models;
#[cfg(feature = "postgres")]
mod postgres; // a server, if one is installed
mod roles; // API keys that may do less
mod running; // start, stop, the data file
mod samples;
mod schemas;
mod shared_file; // several processes with one data file
mod sqlite_files;
mod stored_connections;
mod syncs;
