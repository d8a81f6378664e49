//! The way to the API, the credential and what it may do, the version and the clock.

use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::{Check, Status};
use crate::cli::error::CliError;
use crate::cli::identity::in_words;
use crate::config::Config;
use crate::polytomic::{
    BaseUrl, CallOptions, Client, Error, Identity, ServiceFacts, ignored_proxy_variable, proxy_for,
};
use crate::registry::{ErrorCode, ToolError};

const ADDRESS: &str = "address";
const CONNECTION: &str = "connection";
const TLS: &str = "TLS";
const CREDENTIAL: &str = "credential";
const PERMISSIONS: &str = "permissions";
const VERSION: &str = "API version";
const CLOCK: &str = "clock";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// Signatures and certificates begin to fail at such a difference.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(300);

/// Checks all of it in order; what depends on a failed check is skipped.
pub(super) async fn checks(config: &Config) -> Result<Vec<Check>, CliError> {
    #[cfg(feature = "sandbox")]
    if config.sandbox {
        let (sandbox, config) = crate::cli::embedded_sandbox::start(config)?;
        let checks = checks_of(&config).await;
        sandbox.stop();
        return Ok(checks);
    }
    Ok(checks_of(config).await)
}

/// All of them, skipped.
pub(super) fn skipped(reason: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let names = [ADDRESS, CONNECTION, TLS, CREDENTIAL, PERMISSIONS, VERSION, CLOCK];
    skip(&mut checks, &names, reason);
    checks
}

async fn checks_of(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    let valid = config.base_url().filter(|_| config.invalid_setting().is_none());
    let Some(base_url) = valid else {
        return skipped("the settings are invalid");
    };
    if let Some(variable) = ignored_proxy_variable(base_url) {
        checks.push(Check::failed(
            ADDRESS,
            format!("{variable} is not understood, so that requests to {base_url} take no proxy"),
            format!("Set {variable} to a URL such as http://proxy.example:3128, or unset it."),
        ));
        let names = [CONNECTION, TLS, CREDENTIAL, PERMISSIONS, VERSION, CLOCK];
        skip(&mut checks, &names, "the proxy is not known");
        return checks;
    }
    let proxy = proxy_for(base_url);
    checks.push(Check::ok(
        ADDRESS,
        match &proxy {
            Some((host, port)) => format!("{base_url}, through the proxy {host}:{port}"),
            None => format!("{base_url}, without a proxy"),
        },
    ));
    let connection = connection(base_url, proxy).await;
    let is_connected = connection.status == Status::Ok;
    checks.push(connection);
    // A missing key is worth knowing even where there is no network.
    let client = match config.clone().client() {
        Ok(client) => Client::new(client).map_err(ToolError::from),
        Err(error) => {
            checks.push(Check::skipped(TLS, "not tried: no request is sent without a key"));
            checks.push(Check::failed(CREDENTIAL, error.message, error.hint));
            skip(&mut checks, &[PERMISSIONS, VERSION, CLOCK], "there is no credential");
            return checks;
        }
    };
    let client = match client {
        Ok(client) if is_connected => client,
        Ok(_) => {
            let names = [TLS, CREDENTIAL, PERMISSIONS, VERSION, CLOCK];
            skip(&mut checks, &names, "there is no connection");
            return checks;
        }
        Err(error) => {
            checks.push(Check::failed(TLS, error.message, error.hint));
            skip(&mut checks, &[CREDENTIAL, PERMISSIONS, VERSION, CLOCK], "there is no TLS");
            return checks;
        }
    };
    let identity = client.get_identity(&options()).await.map_err(Failure::from);
    checks.push(tls(base_url, &identity));
    checks.push(credential(config, &identity));
    checks.push(match &identity {
        Ok(_) => permissions(&client).await,
        Err(failure) if failure.is_about_key() => {
            Check::skipped(PERMISSIONS, "the credential was not accepted")
        }
        Err(_) => Check::skipped(PERMISSIONS, "the credential was not checked"),
    });
    let facts = client.service_facts();
    let facts = facts.as_ref();
    checks.push(version(config, facts, identity.is_ok()));
    checks.push(clock(facts));
    checks
}

fn skip(checks: &mut Vec<Check>, names: &[&'static str], reason: &str) {
    checks.extend(names.iter().map(|name| Check::skipped(name, reason)));
}

fn options() -> CallOptions {
    CallOptions { deadline: Some(Instant::now() + RESPONSE_TIMEOUT), ..CallOptions::default() }
}

/// Resolves and connects to the service, or to the proxy before it.
async fn connection(base_url: &BaseUrl, proxy: Option<(String, u16)>) -> Check {
    let (what, setting) = match proxy {
        Some(_) => ("the proxy", "HTTPS_PROXY, or add the host of the service to NO_PROXY"),
        None => {
            ("the service", "POLYTOMIC_BASE_URL, or set HTTPS_PROXY if this network needs a proxy")
        }
    };
    let (host, port) = proxy.unwrap_or_else(|| base_url.host_and_port());
    let addresses = timeout(CONNECT_TIMEOUT, lookup_host((host.as_str(), port))).await;
    let addresses: Vec<_> = match addresses {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) | Err(_) => {
            let message = format!("{host}, the name of {what}, does not resolve");
            return Check::failed(
                CONNECTION,
                message,
                format!("Check DNS and the network; correct {setting}."),
            );
        }
    };
    let Some(address) = addresses.first() else {
        return Check::failed(
            CONNECTION,
            format!("{host} has no address"),
            format!("Correct {setting}."),
        );
    };
    let mut last = String::new();
    for address in &addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                return Check::ok(
                    CONNECTION,
                    format!("{host} resolves to {} and accepts connections", address.ip()),
                );
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no response within {} s", CONNECT_TIMEOUT.as_secs()),
        }
    }
    Check::failed(
        CONNECTION,
        format!("{what} at {host}:{port} ({}) cannot be reached: {last}", address.ip()),
        format!("Check that it is running and that no firewall is in between; correct {setting}."),
    )
}

fn tls(base_url: &BaseUrl, identity: &Result<Identity, Failure>) -> Check {
    match identity {
        Err(failure) if failure.is_tls => failure.check(TLS),
        Err(failure) if failure.error.http_status.is_none() => Check::skipped(TLS, "no response"),
        _ if base_url.is_https() => Check::ok(TLS, "the certificate is trusted"),
        _ => Check::ok(TLS, "not used: plain http"),
    }
}

fn credential(config: &Config, identity: &Result<Identity, Failure>) -> Check {
    let identity = match identity {
        Ok(identity) => identity,
        Err(failure) if failure.is_tls => {
            return Check::skipped(CREDENTIAL, "not sent without trusted TLS");
        }
        Err(failure) if failure.is_about_key() => return failure.check(CREDENTIAL),
        Err(failure) => {
            let reason = match failure.error.http_status {
                Some(429 | 500..) => "The key was not checked, since the service failed.",
                _ => "The key was not checked.",
            };
            let check = failure.check(CREDENTIAL);
            return Check { message: format!("{reason} {}", check.message), ..check };
        }
    };
    let origin = match config.has_sandbox() {
        true => "the sandbox's own".to_owned(),
        false => config.key_origin(),
    };
    Check::ok(CREDENTIAL, format!("{}; the key is {origin}", in_words(identity)))
}

/// What the credential may do, as far as reading shows it.
async fn permissions(client: &Client) -> Check {
    let (connections, models) = (
        client.list_connections(&options()).await.map(|connections| connections.len()),
        client.list_models(Some(1), None, &options()).await.map(|_| ()),
    );
    match (connections, models) {
        (Ok(count), Ok(())) => {
            let connections = if count == 1 { "connection" } else { "connections" };
            Check::ok(PERMISSIONS, format!("lists {count} {connections} and the models"))
        }
        (Err(error), _) | (_, Err(error)) => Failure::from(error).check(PERMISSIONS),
    }
}

/// `is_api`: whether a response was the API's; that of something in between does not confirm a version.
fn version(config: &Config, facts: Option<&ServiceFacts>, is_api: bool) -> Check {
    let requested = config.api_version();
    match facts.map(|facts| facts.version.as_deref()) {
        None => Check::skipped(VERSION, "there was no response"),
        Some(None) if !is_api => Check::skipped(VERSION, "no response confirmed it"),
        Some(None) => Check::ok(
            VERSION,
            format!("{requested} requested; the response does not name its version"),
        ),
        Some(Some(version)) if version == requested => Check::ok(VERSION, version),
        Some(Some(version)) => Check::failed(
            VERSION,
            format!("{requested} was requested, and the service responded with {version}"),
            "Unset POLYTOMIC_API_VERSION, or set it to a version that the service has.",
        ),
    }
}

fn clock(facts: Option<&ServiceFacts>) -> Check {
    let Some(difference) = facts.and_then(|facts| facts.clock_difference) else {
        return Check::skipped(CLOCK, "there was no response with a date");
    };
    let message = format!("differs by {} s from the service's", difference.as_secs());
    if difference <= MAX_CLOCK_DIFFERENCE {
        return Check::ok(CLOCK, message);
    }
    Check::failed(CLOCK, message, "Set the clock of this machine.")
}

/// A failed request.
struct Failure {
    is_tls: bool,
    error: ToolError,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { is_tls: error.is_tls(), error: ToolError::from(error) }
    }
}

impl Failure {
    /// Whether the key is what has to be repaired.
    fn is_about_key(&self) -> bool {
        use ErrorCode::{Forbidden, NotConfigured, Unauthorized};
        [Forbidden, NotConfigured, Unauthorized].contains(&self.error.code)
    }

    /// The failed check, with the details that the hint may say to read.
    fn check(&self, name: &'static str) -> Check {
        let mut message = self.error.message.clone();
        for detail in ["reason", "message", "body", "location"] {
            if let Some(text) = self.error.details.get(detail).and_then(|text| text.as_str()) {
                message += &format!(" details.{detail}: {text}");
            }
        }
        Check::failed(name, message, self.error.hint.clone())
    }
}
