//! The one made-up user, organization and connection of the sandbox.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

/// The id in the examples of the API reference, so that they work unchanged.
pub(super) const CONNECTION: Uuid = uuid!("248df4b7-aa70-47b8-a036-33ac447e668d");
pub(super) const ORGANIZATION: Uuid = uuid!("7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41");
const USER: Uuid = uuid!("c2a4e0b8-93d7-4f16-8a5d-6e1b7f20d394");

/// Who created or changed an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Actor {
    id: Uuid,
    name: String,
    r#type: String,
}

impl Actor {
    /// The sandbox's only user.
    pub(super) fn user() -> Self {
        Self { id: USER, name: "Sandbox User".to_owned(), r#type: "user".to_owned() }
    }
}

/// `GET /api/me`
pub(super) async fn identity() -> Json<Value> {
    Json(json!({ "data": {
        "email": "sandbox@example.com",
        "id": USER,
        "is_organization": false,
        "is_partner": false,
        "is_system": false,
        "is_user": true,
        "organization_id": ORGANIZATION,
        "organization_name": "Sandbox",
    } }))
}
