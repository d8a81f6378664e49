//! The sandbox, over HTTP.

mod access; // keys, headers, unknown paths, broken requests
mod connections;
mod hostile; // statements that must not run, or not for long
mod idempotency;
mod jobs;
mod models;
mod running; // start, stop, the file
mod samples;
mod syncs;
