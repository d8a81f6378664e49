//! Handlers of what a sync does about records that fail, and of the schedules that there are. Both are stored and have no effect:
//! the sandbox runs no sync by itself and notifies nobody.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::accounts::Caller;
use crate::sandbox::http::extract::{JsonObject, PathParameters};
use crate::sandbox::state::{HandlerResult, SharedState};
use crate::sandbox::store::idempotency::Outcome;
use crate::sandbox::store::{self, Tx};
use crate::sandbox::syncs::handlers::find;

/// The body of the update; what it leaves out is off.
#[derive(Debug, Default, Deserialize)]
pub(in crate::sandbox) struct ErrorHandlingBody {
    auto_retry_record_errors: Option<bool>,
    notify_on_record_errors: Option<bool>,
    subscribers: Option<Vec<String>>,
    warning_notifications: Option<bool>,
}

impl ErrorHandlingBody {
    fn into_value(self) -> Value {
        json!({
            "auto_retry_record_errors": self.auto_retry_record_errors.unwrap_or_default(),
            "notify_on_record_errors": self.notify_on_record_errors.unwrap_or_default(),
            "subscribers": self.subscribers.unwrap_or_default(),
            "warning_notifications": self.warning_notifications.unwrap_or_default(),
        })
    }
}

/// `GET /api/syncs/{id}/error-handling`
pub(in crate::sandbox) async fn error_handling(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
) -> HandlerResult {
    let read = move |tx: &Tx<'_>| {
        let sync = find(tx, caller, &id)?;
        store::syncs::error_handling(tx, sync.id)
    };
    let stored = app.store.read(read).await?;
    let data = stored.unwrap_or_else(|| ErrorHandlingBody::default().into_value());
    Ok(Json(json!({ "data": data })))
}

/// `PUT /api/syncs/{id}/error-handling`
pub(in crate::sandbox) async fn update_error_handling(
    State(app): SharedState,
    caller: Caller,
    PathParameters(id): PathParameters<String>,
    JsonObject(body): JsonObject<ErrorHandlingBody>,
) -> HandlerResult<Outcome> {
    let update = move |tx: &Tx<'_>| {
        let sync = find(tx, caller, &id)?;
        let data = body.into_value();
        store::syncs::put_error_handling(tx, sync.id, &data)?;
        Ok(json!({ "data": data }))
    };
    app.store.commit(None, update).await
}

/// The schedules: frequency, label, description, and the properties that it needs.
const SCHEDULES: [(&str, &str, &str, &[&str]); 7] = [
    ("manual", "Manual", "Run only when it is started.", &[]),
    ("continuous", "Continuous", "Run again as soon as a run has ended.", &[]),
    ("hourly", "Hourly", "Run every hour at a minute.", &["minute"]),
    ("daily", "Daily", "Run every day at a time.", &["hour", "minute"]),
    ("weekly", "Weekly", "Run every week on a day.", &["day_of_week", "hour", "minute"]),
    (
        "custom",
        "Custom",
        "Run by the fields of a cron expression.",
        &["minute", "hour", "day_of_month", "month", "day_of_week"],
    ),
    ("runafter", "Run after", "Run after other syncs.", &["run_after"]),
];

/// `GET /api/syncs/schedules`
pub(in crate::sandbox) async fn schedule_options(_caller: Caller) -> Json<Value> {
    let option = |(frequency, label, description, properties): (&str, &str, &str, &[&str])| {
        let schema = |name: &str| match name {
            "run_after" => json!({ "type": "object", "properties": {
                "sync_ids": { "type": "array", "items": { "type": "string", "format": "uuid" } },
                "bulk_sync_ids": { "type": "array", "items": { "type": "string", "format": "uuid" } },
            } }),
            _ => json!({ "type": "string" }),
        };
        let schemas: serde_json::Map<String, Value> =
            properties.iter().map(|name| ((*name).to_owned(), schema(name))).collect();
        json!({
            "frequency": frequency,
            "label": label,
            "description": description,
            "configuration": { "type": "object", "properties": schemas, "required": properties },
        })
    };
    let options: Vec<Value> = SCHEDULES.into_iter().map(option).collect();
    Json(json!({ "data": { "schedule_options": options } }))
}
