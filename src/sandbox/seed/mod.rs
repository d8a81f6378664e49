//! What a new sandbox has: the made-up data of a small shop, a warehouse made of it, and connections. It is identical at every
//! start, so that examples and tests can rely on it.

mod random; // reproducible random numbers
mod words; // names, products and other values

mod database; // the shop, table by table
mod warehouse;

mod target; // where syncs write to

mod bulk_sync;
mod connections;
mod objects; // all connections and syncs

pub(super) use connections::{SHOP, WAREHOUSE};
pub use database::SeedData;
pub(super) use database::{Shop, create_shop};
pub(super) use objects::add_objects;
pub(super) use target::{TargetDatabase, create_target};
pub(super) use warehouse::{Warehouse, create_warehouse};
