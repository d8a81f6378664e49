//! The sandbox, tested over HTTP.

mod access; // authentication, headers, unknown paths, malformed requests
mod connections;
mod hostile; // statements that must not run, or must be stopped
mod idempotency;
mod jobs;
mod models;
mod running; // start, stop, the data file
mod samples;
mod syncs;
