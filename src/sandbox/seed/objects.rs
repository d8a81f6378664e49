//! The objects of a new sandbox.

use crate::sandbox::http::error::ApiError;
use crate::sandbox::seed::bulk_sync::bulk_sync;
use crate::sandbox::seed::connections::connections;
use crate::sandbox::seed::database::SeedData;
use crate::sandbox::store::{self, Tx};

/// Adds the objects, once in the life of the store: those that were deleted stay deleted.
pub(in crate::sandbox) fn add_objects(tx: &Tx<'_>, data: SeedData) -> Result<(), ApiError> {
    match data {
        SeedData::None => store::connections::seed(tx, &[]).map(drop),
        SeedData::Small | SeedData::Large => {
            if store::connections::seed(tx, &connections())? {
                store::bulk_syncs::seed(tx, &bulk_sync())?;
            }
            Ok(())
        }
    }
}
