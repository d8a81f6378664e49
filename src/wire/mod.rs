//! What the stdio faces share: lines in, lines out, the ids in flight, the streams, the signals.
//!
//! Nothing here knows what a line says: how it is read and answered is the face's.

mod lines;
mod signals;
mod streams;
mod traffic;

pub(crate) use lines::{Line, Lines};
pub(crate) use signals::stop_on_signals;
pub(crate) use streams::{Input, Output, open_stdio};
pub(crate) use traffic::Traffic;
