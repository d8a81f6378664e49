//! Bulk syncs, as they are stored and as the API returns them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::accounts::Actor;

/// A bulk sync of every table of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct BulkSync {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) active: bool,
    pub(in crate::sandbox) mode: String,
    pub(in crate::sandbox) source_connection_id: Uuid,
    pub(in crate::sandbox) destination_connection_id: Uuid,
    pub(in crate::sandbox) schedule: BulkSchedule,
    pub(in crate::sandbox) execution: BulkExecution,
    pub(in crate::sandbox) created_at: String,
    pub(in crate::sandbox) created_by: Actor,
    pub(in crate::sandbox) updated_at: String,
}

/// When it would run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct BulkSchedule {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) frequency: String,
    pub(in crate::sandbox) hour: String,
    pub(in crate::sandbox) minute: String,
}

/// The execution that is made up for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct BulkExecution {
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) started_at: String,
    pub(in crate::sandbox) completed_at: String,
}

impl BulkSync {
    pub(in crate::sandbox) fn to_response(&self) -> Value {
        json!({
            "active": self.active,
            "additional_schedules": [],
            "automatically_add_new_fields": "all",
            "automatically_add_new_objects": "all",
            "concurrency_limit": null,
            "created_at": self.created_at,
            "created_by": self.created_by,
            "data_cutoff_timestamp": null,
            "default_schedule": {
                "created_at": self.created_at,
                "created_by": self.created_by,
                "day_of_month": null,
                "day_of_week": null,
                "frequency": self.schedule.frequency,
                "hour": self.schedule.hour,
                "id": self.schedule.id,
                "minute": self.schedule.minute,
                "month": null,
                "updated_at": self.updated_at,
                "updated_by": self.created_by,
            },
            "destination_configuration": { "schema": "public" },
            "destination_connection_id": self.destination_connection_id,
            "disable_record_timestamps": false,
            "id": self.id,
            "mode": self.mode,
            "name": self.name,
            "normalize_names": "enabled",
            "organization_id": self.organization_id,
            "policies": [],
            "resync_concurrency_limit": null,
            "source_configuration": {},
            "source_connection_id": self.source_connection_id,
            "updated_at": self.updated_at,
            "updated_by": self.created_by,
        })
    }

    /// Its schedule, in the spelling of the schedule operations.
    pub(in crate::sandbox) fn schedule_response(&self) -> Value {
        json!({
            "createdAt": self.created_at,
            "createdBy": self.created_by.id(),
            "dayOfMonth": null,
            "dayOfWeek": null,
            "deletedAt": null,
            "deletedBy": null,
            "frequency": self.schedule.frequency,
            "hour": self.schedule.hour,
            "id": self.schedule.id,
            "isDefault": true,
            "minute": self.schedule.minute,
            "month": null,
            "schemas": null,
            "selectiveMode": "none",
            "syncId": self.id,
            "syncMode": "normal",
            "updatedAt": self.updated_at,
            "updatedBy": self.created_by.id(),
        })
    }
}
