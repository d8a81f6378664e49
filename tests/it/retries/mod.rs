//! What is tried again, how often and when; and that nothing is done twice.

mod calls;

mod once;
mod outcomes;
mod when;
mod which;
