//! What the servers on stdin and stdout share: framing, the streams, the requests in flight, signals, and the
//! envelope of a JSON-RPC message.
//!
//! Nothing here knows a method: each server parses its messages and responds itself.

mod limits;

mod framing;
mod reader;
mod streams;

mod envelope;
mod in_flight; // requests that lack a response, and the output

mod signals;

#[cfg(any(fuzzing, test))]
pub(crate) use envelope::Name;
pub(crate) use envelope::{Envelope, id_text, read_members};
pub(crate) use framing::{Framing, FramingError, without_byte_order_mark};
pub(crate) use in_flight::InFlightRequests;
pub(crate) use limits::{
    Limits, MAX_UNWRITTEN_BYTES, SHUTDOWN_GRACE, SHUTDOWN_HANDOVER, write_timeout,
};
pub(crate) use reader::MessageReader;
pub(crate) use signals::shutdown_on_signal;
pub(crate) use streams::{Input, Output, open_stdio};
