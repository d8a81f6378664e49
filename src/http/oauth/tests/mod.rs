//! Tests against an issuer of their own.

mod caching;
mod discovery;
// The tests over HTTP use it as well.
#[path = "../../../../tests/it/support/issuer.rs"]
mod issuer;
mod rejections;

use self::issuer::TestIssuer;
use super::{AccessTokens, Settings};

const AUDIENCE: &str = "https://mcp.example.com/mcp";

fn settings(issuer: &str) -> Settings {
    Settings {
        issuer: issuer.to_owned(),
        audience: AUDIENCE.to_owned(),
        allow_http: false,
        certificates: Vec::new(),
    }
}

fn access_tokens(issuer: &TestIssuer) -> AccessTokens {
    AccessTokens::new(settings(&issuer.url)).unwrap()
}
