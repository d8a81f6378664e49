//! The command line: one file for each subcommand, and what they fail with.

mod command_line;
#[cfg(feature = "sandbox")]
mod demo;
mod failure;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schemas;
mod serve;
mod started;

pub use command_line::run;
pub(crate) use failure::Failure;
