//! One method of [`Client`](super::Client) for each operation of the API, a file for each section of the
//! reference. `described` calls any of them by its name.

mod account;
mod connections;
mod described;
mod jobs;
mod models;
mod syncs;

pub use described::OperationArguments;
