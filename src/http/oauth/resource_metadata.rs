//! What clients find the issuer by: the challenge of a 401, and the metadata of the protected resource.
//!
//! Source: RFC 6750 section 3, RFC 9728 sections 2, 3 and 5.1.

use hyper::header::HeaderValue;
use serde_json::{Value, json};
use url::Url;

use super::token_error::TokenError;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The `WWW-Authenticate` header of a 401. Without an error, the request had no token.
pub(crate) fn challenge(error: Option<&TokenError>, resource_metadata_url: &str) -> HeaderValue {
    let mut text = format!("Bearer resource_metadata=\"{}\"", quotable(resource_metadata_url));
    // With a 503 the token may well be valid.
    if let Some(error) = error.filter(|error| **error != TokenError::IssuerUnreachable) {
        let description = quotable(&error.to_string());
        text.push_str(&format!(", error=\"invalid_token\", error_description=\"{description}\""));
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// The characters that RFC 6750 allows in a description; others become `?`.
fn quotable(text: &str) -> String {
    let is_allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    text.chars().map(|c| if is_allowed(c) { c } else { '?' }).collect()
}

/// The metadata of this server, of which the URL is `resource`.
pub(crate) fn protected_resource_metadata(resource: &str, issuer: &str) -> Value {
    json!({
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "Polytomic MCP server",
    })
}

/// The paths of the metadata of a resource at a path, the one that clients try first in front.
pub(crate) fn metadata_paths(resource_path: &str) -> [String; 2] {
    let path = resource_path.trim_end_matches('/');
    [format!("{WELL_KNOWN}{path}"), WELL_KNOWN.to_owned()]
}

/// The URL of the metadata of a resource.
pub(crate) fn metadata_url(resource: &Url) -> Url {
    let [path, _] = metadata_paths(resource.path());
    let mut url = resource.clone();
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_metadata_and_the_error() {
        let url = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
        let metadata = format!("Bearer resource_metadata=\"{url}\"");
        assert_eq!(challenge(None, url), metadata);
        assert_eq!(challenge(Some(&TokenError::IssuerUnreachable), url), metadata);
        let expected = format!(
            "{metadata}, error=\"invalid_token\", error_description=\"The access token has expired. Get a new one from \
             the issuer.\""
        );
        assert_eq!(challenge(Some(&TokenError::Expired), url), expected);
    }

    #[test]
    fn a_challenge_holds_any_audience() {
        let error = TokenError::WrongAudience { expected: "a\"b\\c\r\nd\u{e9}".to_owned() };
        let challenge = challenge(Some(&error), "https://mcp.example.com/\"x");
        let text = challenge.to_str().unwrap();
        assert!(text.contains("a?b?c??d?"), "{text}");
        assert!(text.contains("https://mcp.example.com/?x"), "{text}");
        assert_eq!(text.matches('"').count(), 6, "{text}");
    }

    #[test]
    fn the_metadata_is_where_clients_look_for_it() {
        let root = "/.well-known/oauth-protected-resource";
        assert_eq!(metadata_paths("/mcp"), [format!("{root}/mcp"), root.to_owned()]);
        assert_eq!(metadata_paths("/"), [root, root]);
        for (resource, expected) in [
            ("https://mcp.example.com/mcp", "https://mcp.example.com{root}/mcp"),
            (
                "https://mcp.example.com:8443/team/mcp/",
                "https://mcp.example.com:8443{root}/team/mcp",
            ),
            ("https://mcp.example.com", "https://mcp.example.com{root}"),
        ] {
            let url = metadata_url(&Url::parse(resource).unwrap());
            assert_eq!(url.as_str(), expected.replace("{root}", root));
        }
        let metadata =
            protected_resource_metadata("https://mcp.example.com/mcp", "https://a.example.com");
        assert_eq!(metadata["resource"], "https://mcp.example.com/mcp");
        assert_eq!(metadata["authorization_servers"], json!(["https://a.example.com"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
        assert!(metadata.get("scopes_supported").is_none(), "no scope is required");
    }
}
