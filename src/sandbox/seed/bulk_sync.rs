//! The bulk sync that a new sandbox has: from the warehouse to the target.

use uuid::uuid;

use crate::sandbox::accounts::{Actor, ORGANIZATION};
use crate::sandbox::bulk::sync::{BulkExecution, BulkSchedule, BulkSync};
use crate::sandbox::seed::connections::{TARGET_ID, WAREHOUSE_ID};

/// The bulk sync.
pub(in crate::sandbox) fn bulk_sync() -> BulkSync {
    let created_at = "2026-01-01T00:00:00.000000Z".to_owned();
    BulkSync {
        id: uuid!("b3c1e5f7-2a94-4d68-8e07-95d1f4a6c230"),
        organization_id: ORGANIZATION.id,
        name: "Warehouse to target".to_owned(),
        active: true,
        mode: "replicate".to_owned(),
        source_connection_id: WAREHOUSE_ID,
        destination_connection_id: TARGET_ID,
        schedule: BulkSchedule {
            id: uuid!("0e7d2c94-61b8-4f35-a9c0-3b58e1d7f642"),
            frequency: "daily".to_owned(),
            hour: "3".to_owned(),
            minute: "0".to_owned(),
        },
        execution: BulkExecution {
            id: uuid!("6f4a9d03-c7e2-4b81-95f6-d20b8a1e3c57"),
            started_at: "2026-01-02T03:00:00.000000Z".to_owned(),
            completed_at: "2026-01-02T03:00:04.000000Z".to_owned(),
        },
        updated_at: created_at.clone(),
        created_at,
        created_by: Actor::admin(),
    }
}
