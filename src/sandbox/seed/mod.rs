//! The made-up business data of a small shop: companies, people, orders and subscriptions. It is identical at
//! every start, so that examples and tests can rely on it.

mod random; // reproducible random numbers
mod words; // names, products and other values

mod database; // the in-memory database, table by table

pub(super) use database::create_database;
