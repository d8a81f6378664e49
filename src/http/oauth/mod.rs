//! Access tokens of an external issuer, as a resource server of OAuth 2.1 validates them.
//!
//! `discovery` finds and fetches the keys of the `issuer`, `issuer_keys` caches them, `key_set` selects those that fit a token,
//! `signatures` verifies with ring, and `access_tokens` validates. `resource_metadata` has what clients find the issuer by.
//!
//! Source: MCP 2025-11-25 and 2026-07-28, "Authorization"; RFC 6750, 8414, 9068 and 9728; OpenID Connect Discovery 1.0.

mod access_tokens;
mod discovery;
mod issuer;
mod issuer_keys;
mod key_set;
mod resource_metadata;
mod signatures;
mod token_error;
mod token_header;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    access_tokens::{AccessTokens, Settings},
    resource_metadata::{challenge, metadata_paths, metadata_url, protected_resource_metadata},
};
