//! Reads the settings of servers that listen on a port. An invalid one stops the start: nobody would see the error of a call.

use url::Url;

use super::paths::file_path;
use super::ports::PortSettings;
use super::reader::Reader;
use super::setting::Setting;
use super::settings::*;
use super::sources::invalid_value;

impl Reader<'_> {
    /// # Errors
    /// A message for the first invalid setting.
    pub(super) fn ports(&mut self) -> Result<PortSettings, String> {
        let file = |text: Option<String>| text.map(|text| file_path(&text));
        Ok(PortSettings {
            auth: self.choice(&AUTH)?,
            token: self.token(&HTTP_TOKEN)?,
            rpc_token: self.token(&RPC_TOKEN)?,
            oauth_issuer: self
                .url(&OAUTH_ISSUER, "https://login.example.com")?
                .and_then(|_| self.text(&OAUTH_ISSUER)),
            oauth_audience: self.text(&OAUTH_AUDIENCE),
            public_url: self.url(&PUBLIC_URL, "https://mcp.example.com/mcp")?,
            allowed_origins: self.origins()?,
            keys_from: self.choice(&KEYS_FROM)?.unwrap_or_default(),
            tls_certificate: file(self.text(&TLS_CERT)),
            tls_key: file(self.text(&TLS_KEY)),
        })
    }

    /// A token, which has to fit into a header: no caller could send another one.
    fn token(&self, setting: &Setting) -> Result<Option<String>, String> {
        let Some(token) = self.text(setting) else { return Ok(None) };
        if token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Some(token));
        }
        Err(format!(
            "{} has blanks or characters beyond ASCII, which no Authorization header can hold; e.g. the output of \
             `openssl rand -hex 32` can be one.",
            self.label(setting)
        ))
    }

    fn url(&self, setting: &Setting, example: &str) -> Result<Option<Url>, String> {
        let Some(text) = self.text(setting) else { return Ok(None) };
        let url = Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let expected = format!("an http or https URL without query, e.g. {example}");
        url.map(Some).ok_or_else(|| invalid_value(&self.label(setting), &expected, &text))
    }

    fn origins(&self) -> Result<Vec<String>, String> {
        let Some(text) = self.text(&ALLOW_ORIGIN) else { return Ok(Vec::new()) };
        let origins = text.split(|c: char| c == ',' || c.is_whitespace());
        let origins = origins.filter(|origin| !origin.is_empty());
        origins
            .map(|origin| {
                let url = Url::parse(origin).ok().filter(|url| {
                    let is_bare = matches!(url.path(), "" | "/") && !origin.ends_with('/');
                    is_bare && url.origin().is_tuple() && url.query().is_none()
                });
                let expected =
                    "origins of web pages, e.g. https://app.example.com or http://localhost:6274";
                url.map(|url| url.origin().ascii_serialization())
                    .ok_or_else(|| invalid_value(&self.label(&ALLOW_ORIGIN), expected, origin))
            })
            .collect()
    }
}
