//! The sandbox, tested over HTTP.

mod access; // authentication, headers, unknown paths, malformed requests
mod bulk;
mod connect; // what a user completes in a browser
mod connections;
mod contract; // which operations there are
mod contract_requests; // the embedded schemas of requests
mod enrichment; // made-up companies and people
mod execution_endings;
mod executions; // runs of model syncs
mod faults; // faults on demand
mod hostile; // statements that must not run, or must be stopped
mod idempotency;
mod jobs;
mod log; // the log of requests, the clock, the reset
mod models;
mod page; // the page to watch
#[cfg(feature = "postgres")]
mod postgres; // a server, if one is installed
mod roles; // API keys that may do less
mod running; // start, stop, the data file
mod samples;
mod schemas;
mod shared_file; // several processes with one data file
mod sqlite_files;
mod stored_connections;
mod sync_changes;
mod syncs;
