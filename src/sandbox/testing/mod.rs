//! What helps to test with the sandbox: faults on demand, the log of requests, a clock that moves, and a page to watch.

mod faults;
mod forms;
mod rule; // faults on demand

pub(super) mod inject;

pub(super) mod compare; // what requests differ in from the contract
mod log;

mod sessions; // who may watch
mod setup;

mod page; // the page to watch
mod watch;

pub(super) mod control; // the endpoints below /sandbox

pub(super) use log::LoggedRequest;
pub(super) use rule::JobFault;
pub use rule::{FaultRule, InvalidRule};
pub(super) use setup::Testing;
