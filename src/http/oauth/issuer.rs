//! The issuer: its identifier, and where its metadata is.

use url::{Host, Url};

/// An issuer's identifier. It is kept as written: tokens and metadata repeat it character by character.
#[derive(Debug, Clone)]
pub(super) struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Parses an identifier. Plain http is rejected unless the host is this machine or `allow_http` is set: who changes the
    /// keys on their way can sign any token.
    ///
    /// # Errors
    /// A sentence with what is wrong and what is expected.
    pub(super) fn parse(text: &str, allow_http: bool) -> Result<Self, String> {
        let invalid = |reason: &str| {
            format!(
                "The OAuth issuer is invalid: {reason}. Set it to the issuer's identifier exactly as its tokens have it \
                 (claim iss), e.g. https://login.example.com."
            )
        };
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(invalid("it is not an https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it contains a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment"));
        }
        if url.scheme() == "http" && !is_loopback(&url) && !allow_http {
            return Err(invalid(
                "it uses plain http to another machine, so that its keys could be replaced on their way; if you trust the \
                 network, set POLYTOMIC_ALLOW_HTTP=1",
            ));
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The identifier as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Where the metadata may be, in the order in which MCP clients try.
    pub(super) fn metadata_urls(&self) -> Vec<Url> {
        let path = self.url.path().trim_end_matches('/');
        let mut paths = vec![
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
        ];
        if !path.is_empty() {
            paths.push(format!("{path}/.well-known/openid-configuration"));
        }
        let at = |path: String| {
            let mut url = self.url.clone();
            url.set_path(&path);
            url
        };
        paths.into_iter().map(at).collect()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_accepted_as_written_or_rejected_with_the_reason() {
        for (text, allow_http, expected) in [
            ("https://login.example.com", false, Ok(())),
            ("https://login.example.com/", false, Ok(())),
            ("https://Login.example.com:443/tenant", false, Ok(())),
            ("http://127.0.0.1:8080/realms/a", false, Ok(())),
            ("http://[::1]:8080", false, Ok(())),
            ("http://keycloak:8080", true, Ok(())),
            ("http://keycloak:8080", false, Err("POLYTOMIC_ALLOW_HTTP")),
            ("http://localhost.example.com", false, Err("plain http")),
            ("https://a:b@login.example.com", false, Err("password")),
            ("https://login.example.com?tenant=1", false, Err("query")),
            ("https://login.example.com#a", false, Err("fragment")),
            ("ftp://login.example.com", false, Err("not an https URL")),
            ("login.example.com", false, Err("https://login.example.com")),
        ] {
            match (Issuer::parse(text, allow_http), expected) {
                (Ok(issuer), Ok(())) => assert_eq!(issuer.as_str(), text),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (result, _) => panic!("{text}: {result:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn metadata_is_looked_for_where_mcp_clients_look() {
        let urls = |text: &str| -> Vec<String> {
            let issuer = Issuer::parse(text, false).unwrap();
            issuer.metadata_urls().into_iter().map(String::from).collect()
        };
        let root = [
            "https://a.example.com/.well-known/oauth-authorization-server",
            "https://a.example.com/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://a.example.com"), root);
        assert_eq!(urls("https://a.example.com/"), root);
        let tenant = [
            "https://a.example.com:8443/.well-known/oauth-authorization-server/tenants/1",
            "https://a.example.com:8443/.well-known/openid-configuration/tenants/1",
            "https://a.example.com:8443/tenants/1/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://a.example.com:8443/tenants/1"), tenant);
        assert_eq!(urls("https://a.example.com:8443/tenants/1/"), tenant);
    }
}
