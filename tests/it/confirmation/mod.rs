//! The user is asked before something is lost, in both eras of the protocol, and nothing is done without a clear yes.

mod audit;
mod changes;
mod client;
mod command_line;
mod decisions;
mod endings;
mod losses;
mod operations;
mod request_state;
mod settings;
