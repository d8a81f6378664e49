//! Connect sessions, as they are stored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A session, with its token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct ConnectSession {
    pub(in crate::sandbox) token: String,
    pub(in crate::sandbox) id: Uuid,
    pub(in crate::sandbox) organization_id: Uuid,
    pub(in crate::sandbox) expires_at: String,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) redirect_url: String,
    /// The connection to be updated, or the one that was created.
    pub(in crate::sandbox) connection_id: Option<Uuid>,
    /// Whether its one connection is made.
    pub(in crate::sandbox) is_completed: bool,
    pub(in crate::sandbox) r#type: Option<String>,
    pub(in crate::sandbox) whitelist: Vec<String>,
    pub(in crate::sandbox) dark: bool,
    pub(in crate::sandbox) organization_name: Option<String>,
}

impl ConnectSession {
    /// Whether it may make a connection of this type.
    pub(in crate::sandbox) fn allows(&self, r#type: &str) -> bool {
        self.r#type.as_deref().is_none_or(|only| only == r#type)
            && (self.whitelist.is_empty() || self.whitelist.iter().any(|listed| listed == r#type))
    }
}
