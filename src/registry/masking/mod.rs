//! Masks values of customers' records wherever a result or an error may hold one, below every server.
//!
//! `parts` knows the places: records, examples of fields, results of jobs, texts of the API. `value` goes through a
//! value, which is masked by the name of its column (`columns`) or by its look: `credentials`, and with `personal` also
//! `emails`, `numbers` (phones, cards, accounts) and `addresses`; `widths` reads other forms of letters and digits. All of it takes linear time, whatever a value contains, and masking
//! what is masked changes nothing.
//!
//! What describes the account (connections, configurations, syncs) is not masked here but in `redaction`, always.

mod addresses;
mod columns;
mod credentials;
mod emails;
mod forms; // what a masked value looks like
mod level;
mod numbers;
mod parts;
mod report;
mod text;
mod value;
mod widths;

pub use level::Masking;
pub(super) use parts::{mask_error, mask_result};
#[cfg(any(fuzzing, test))]
pub(crate) use value::masked;
