//! Jobs: work that may go on after its request.

pub(super) mod job; // as the API returns it

pub(super) mod run;
