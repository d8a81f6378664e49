//! The command line: one file for each subcommand.

mod error;
mod plain_text;

#[cfg(feature = "sandbox")]
mod embedded_sandbox; // --sandbox
mod identity; // of the key, for doctor and login
mod listen; // the flag --listen
mod port; // serving on a port
mod startup; // log and registry

mod audit;
mod call;
mod completions;
mod config;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod http;
mod login; // and logout
mod rpc;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schemas;
mod serve; // no subcommand
mod setup;
mod tools;

mod command_line;

#[doc(hidden)]
pub use command_line::command; // for the man page
pub use command_line::run;
pub use setup::{CLIENTS, Client, Format, KeySupply, Link, Places, Scope, Server, Shape, System};
