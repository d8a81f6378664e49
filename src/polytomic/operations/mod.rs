//! One method of [`Client`](super::Client) for each operation of the API, a file for each section of the
//! reference.

mod account;
mod connections;
mod jobs;
mod models;
mod syncs;
