//! The audit log: which writes were made, with ids and outcomes, and without names or values.
//!
//! A write has two lines, and one more for each further idempotency key. `started` is written before the first request with
//! a key is sent, and a write that cannot get this line is not sent; `finished` is written before the result is returned, and
//! repeats what `started` says. So no write that may have been applied is missing, whatever happens to the process. A call
//! that ends before anything is sent, since it is refused or there is nothing to change, has `finished` alone.

mod line;
mod log;
mod record;

pub(crate) use line::{AuditLine, Event};
pub(crate) use log::AuditLog;
pub(super) use record::{AuditedCall, CallRecord};
