//! The command line: one file for each subcommand, and what they fail with.

mod call;
mod command_line;
mod completions;
#[cfg(feature = "sandbox")]
mod demo;
mod failure;
mod rpc;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schemas;
mod serve;
mod started;
mod tools;

use command_line::address;
pub use command_line::run;
pub(crate) use failure::Failure;
