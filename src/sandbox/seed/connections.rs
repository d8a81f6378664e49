//! The connections that a new sandbox has, of each kind one.

use serde_json::{Map, Value, json};
use uuid::{Uuid, uuid};

use crate::sandbox::accounts::{Actor, ORGANIZATION};
use crate::sandbox::connections::connection::Connection;
use crate::sandbox::sources::TARGET;

/// The path of the shop in the configuration of a connection.
pub(in crate::sandbox) const SHOP: &str = ":shop:";
/// The path of the warehouse.
pub(in crate::sandbox) const WAREHOUSE: &str = ":warehouse:";

/// The id in the examples of the API reference, so that they work unchanged.
const SHOP_ID: Uuid = uuid!("248df4b7-aa70-47b8-a036-33ac447e668d");

pub(super) const WAREHOUSE_ID: Uuid = uuid!("4c7d9e10-83b2-4a6f-95d1-e0f2a7b6c358");
pub(super) const TARGET_ID: Uuid = uuid!("f27b8a61-0d35-4e9c-b148-6a93c5d07e82");

/// The connections, in the order of their creation.
pub(in crate::sandbox) fn connections() -> Vec<Connection> {
    let of_type = |id, name: &str, r#type: &str, configuration: Value| {
        connection(id, name, r#type, configuration.as_object().cloned().unwrap_or_default())
    };
    let unhealthy = of_type(
        uuid!("9b0e6a52-1f47-4d3c-a8e5-73c1d204f96b"),
        "Legacy CRM",
        "postgresql",
        json!({
            "hostname": "crm.example.com", "port": 5432, "database": "crm", "username": "polytomic",
            "password": "made-up", "ssl": true,
        }),
    );
    let status_error = Some("connect: no route to host crm.example.com:5432".to_owned());
    vec![
        of_type(SHOP_ID, "SQLite (sandbox)", "sqlite", json!({ "path": SHOP })),
        of_type(WAREHOUSE_ID, "Warehouse", "sqlite", json!({ "path": WAREHOUSE })),
        of_type(TARGET_ID, "Target", "sqlite", json!({ "path": TARGET })),
        of_type(
            uuid!("d15f3b84-6e29-4c70-b7a3-58c90d2e1f46"),
            "Slack",
            "slack",
            json!({ "connected_user": "sandbox@example.com" }),
        ),
        of_type(
            uuid!("a6e08c39-2d54-47f1-8b6c-f31d7059e2a4"),
            "Apollo",
            "apollo",
            json!({ "apikey": "made-up" }),
        ),
        Connection { status_error, ..unhealthy },
    ]
}

fn connection(id: Uuid, name: &str, r#type: &str, configuration: Map<String, Value>) -> Connection {
    let created_at = "2026-01-01T00:00:00.000000Z".to_owned();
    Connection {
        id,
        organization_id: ORGANIZATION.id,
        name: name.to_owned(),
        r#type: r#type.to_owned(),
        configuration,
        healthcheck_interval: None,
        policies: Vec::new(),
        status_error: None,
        authorization: None,
        schemas_refreshed_at: None,
        updated_at: created_at.clone(),
        created_at,
        created_by: Actor::admin(),
        updated_by: Actor::admin(),
    }
}
