//! The made-up business data: a small shop's companies, people, orders and subscriptions. It is
//! the same at every start, so that examples and tests can rely on it.

mod make; // the memory database, table by table
mod random; // the same numbers every time
mod words; // what the rows are made of

pub(super) use make::make;
