//! Session ids of the era with an initialize: what was negotiated, sealed, so that there is nothing to look up.
//!
//! A client that sends none, or one that was sealed elsewhere, is served all the same: its headers name its version, and it
//! cannot be asked anything anyway.

use rmcp::model::{ProtocolVersion, RequestId};

use crate::mcp::seal::{Seal, random};
use crate::state::{SealingKeys, cancel_name};

const PURPOSE: &str = "session";

/// What a session id holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Session {
    /// The negotiated version.
    pub(super) version: ProtocolVersion,
    /// Distinguishes the requests of one client from those of others.
    number: [u8; 16],
}

impl Session {
    /// A new one; none without randomness.
    pub(super) fn new(version: ProtocolVersion) -> Option<Self> {
        Some(Self { version, number: random()? })
    }

    /// The session id for a caller.
    pub(super) fn to_id(&self, keys: &SealingKeys, identity: &str) -> Option<String> {
        let bytes = [&self.number[..], self.version.as_str().as_bytes()].concat();
        Seal::new(&keys.current)?.seal(&format!("{PURPOSE} {identity}"), bytes)
    }

    /// Reads a session id; none for one of other servers or another caller.
    pub(super) fn from_id(id: &str, keys: &SealingKeys, identity: &str) -> Option<Self> {
        let keys = [Some(keys.current), keys.other].into_iter().flatten();
        let purpose = format!("{PURPOSE} {identity}");
        let bytes = keys.filter_map(|key| Seal::new(&key)?.open(&purpose, id)).next()?;
        let (number, version) = bytes.split_first_chunk()?;
        let version = String::from_utf8(version.to_vec()).ok()?;
        let version = serde_json::from_value(serde_json::Value::String(version)).ok()?;
        Some(Self { version, number: *number })
    }

    /// The name of one of its requests, the same in every replica.
    pub(super) fn name_of(&self, request: &RequestId) -> String {
        let number: String = self.number.iter().map(|byte| format!("{byte:02x}")).collect();
        cancel_name(&number, &request.to_string())
    }
}
