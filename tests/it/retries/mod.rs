//! Which requests are retried, how often and when; and that no write is applied twice.

mod fixtures;

mod eligibility;
mod idempotency;
mod lost_responses;
mod outcomes;
mod state;
mod timing;
