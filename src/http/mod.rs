//! The HTTP stack of every server that listens: `http`, `rpc --listen` and the sandbox.
//!
//! `server` accepts connections, over TLS if there is a certificate (`tls`), and serves HTTP/1.1 and HTTP/2 on them.
//! `connections` limits how many there are and closes those that do nothing, as each `connection` reports it. A `site` is
//! what `http` and `rpc --listen` share: `guard` refuses requests from pages of other servers, `auth` says who calls,
//! `budget` limits the bytes of bodies, `request_body` reads them, and a [`Service`] responds with a [`Body`].
//! `oauth/` validates access tokens of an external issuer. Nothing here knows MCP, JSON-RPC or a tool.

mod budget;
mod rejection;

mod connection;
mod connections;
mod server;
mod tls;

mod oauth;

mod auth;
mod body;
mod guard;
mod media_type;
mod request_body;
mod sent_body;
mod site;

pub(crate) use auth::{Auth, Caller};
pub(crate) use body::{Body, Parts};
pub(crate) use budget::{Budget, Reservation};
pub(crate) use guard::Guard;
pub(crate) use media_type::{accepts, is_json};
pub(crate) use oauth::{
    AccessTokens, Settings as IssuerSettings, metadata_paths, metadata_url,
    protected_resource_metadata,
};
pub(crate) use rejection::Rejection;
pub(crate) use request_body::read_body;
pub(crate) use server::{Listening, Server};
pub(crate) use site::{Metadata, Probe, Service, Site};
pub(crate) use tls::Tls;

#[cfg(feature = "sandbox")] // which responds by itself
pub(crate) use self::{connection::Connection, request_body::RequestBody, server::Handler};
