//! The command line: one file for each subcommand, and what they fail with.

mod call;
mod command_line;
mod completions;
#[cfg(feature = "sandbox")]
mod demo;
mod error;
mod rpc;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schemas;
mod serve;
mod startup;
mod tools;

use command_line::address;
pub use command_line::run;
pub(crate) use error::CliError;
