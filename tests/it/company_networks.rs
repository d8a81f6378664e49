//! Networks of companies: a proxy between us and the service, and a certificate authority of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Launch, Session};

/// No machine has this name, so that only the proxy can reach the service.
const HOST: &str = "polytomic.example";

/// A certificate authority, and a service with a certificate of it.
pub struct Company {
    pub port: u16,
    pub ca_file: String,
    _directory: tempfile::TempDir,
}

impl Company {
    /// A service with these names and a certificate that is valid between two days, counted from now.
    pub async fn start(names: &[&str], days: std::ops::Range<i64>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut certificate = CertificateParams::new(names).unwrap();
        certificate.not_before = days_from_now(days.start).into();
        certificate.not_after = days_from_now(days.end).into();
        let certificate = certificate.signed_by(&key, &ca).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let Ok(mut peer) = acceptor.accept(peer).await else { continue };
                let _ = peer.read(&mut vec![0; 65536]).await;
                let response = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";
                let _ = peer.write_all(response).await;
            }
        });
        Self { port, ca_file: ca_file.to_str().unwrap().to_owned(), _directory: directory }
    }
}

fn days_from_now(days: i64) -> SystemTime {
    let distance = Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
    if days < 0 { SystemTime::now() - distance } else { SystemTime::now() + distance }
}

/// A CONNECT proxy that connects any name to one port of this machine, and the heads of the requests it received.
pub struct Proxy {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub async fn start(port: u16, status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = peer.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let is_allowed = status == "200 OK"
                        || head.contains("roxy-authorization: Basic dXNlcjpwYXNzd29yZA==");
                    received.lock().await.push(head.to_lowercase());
                    if !is_allowed {
                        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        let _ = peer.write_all(head.as_bytes()).await;
                        return;
                    }
                    let mut service = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    let _ = copy_bidirectional(&mut peer, &mut service).await;
                });
            }
        });
        Self { url, heads }
    }
}

pub fn at_the_company(proxy: &str) -> Launch {
    Launch::against(&format!("https://{HOST}")).variable("HTTPS_PROXY", proxy)
}

async fn result(launch: Launch) -> Result<Value, Value> {
    let mut session = Session::open(&launch).await;
    crate::support::over_mcp(&mut session, "list_connections", &json!({})).await
}

#[tokio::test]
async fn a_service_behind_a_proxy_with_its_own_authority_is_reached_with_ca_file() {
    let company = Company::start(&[HOST], -1..2).await;
    let proxy = Proxy::start(company.port, "200 OK").await;
    for launch in [
        at_the_company(&format!("http://{}", proxy.url)).flag("--ca-file").flag(&company.ca_file),
        at_the_company(&proxy.url).variable("POLYTOMIC_CA_FILE", &company.ca_file),
    ] {
        assert_eq!(result(launch).await, Ok(json!({"connections": []})));
    }
    let heads = proxy.heads.lock().await;
    assert_eq!(heads.len(), 2, "{heads:?}");
    for head in heads.iter() {
        assert!(head.starts_with(&format!("connect {HOST}:443 ")), "{heads:?}");
    }
    assert!(!heads.concat().contains("test-key-4711"), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_with_a_password_gets_it_and_says_so_without() {
    let company = Company::start(&[HOST], -1..2).await;
    let proxy = Proxy::start(company.port, "407 Proxy Authentication Required").await;
    let with =
        |proxy: String| at_the_company(&proxy).variable("POLYTOMIC_CA_FILE", &company.ca_file);
    let found = result(with(format!("http://user:password@{}", proxy.url))).await;
    assert_eq!(found, Ok(json!({"connections": []})));
    let error = result(with(format!("http://{}", proxy.url))).await.unwrap_err();
    assert!(
        error["message"].as_str().unwrap().contains("requires a user name and password"),
        "{error}"
    );
    assert!(error["hint"].as_str().unwrap().contains("HTTPS_PROXY"), "{error}");
    let error = result(with(format!("http://user:wrong4712@{}", proxy.url))).await.unwrap_err();
    assert!(!error.to_string().contains("wrong4712"), "{error}");
}

#[tokio::test]
async fn each_failure_of_the_way_names_its_setting() {
    let company = Company::start(&[HOST], -1..2).await;
    let other_name = Company::start(&["other.example"], -1..2).await;
    let expired = Company::start(&[HOST], -3..-2).await;
    let to = async |port: u16, status| format!("http://{}", Proxy::start(port, status).await.url);
    let refusing = to(company.port, "403 Forbidden").await;
    let open = to(company.port, "200 OK").await;
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = plain.accept().await {
            let _ = peer.read(&mut vec![0; 65536]).await;
            let _ = peer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    for (label, launch, message, hint) in [
        (
            "an unknown authority",
            at_the_company(&open),
            "not issued by an authority",
            "POLYTOMIC_CA_FILE",
        ),
        (
            "the authority of another company",
            at_the_company(&open).variable("POLYTOMIC_CA_FILE", &expired.ca_file),
            "not issued by an authority",
            "NO_PROXY",
        ),
        (
            "another name",
            at_the_company(&to(other_name.port, "200 OK").await)
                .variable("POLYTOMIC_CA_FILE", &other_name.ca_file),
            "for another name",
            "HTTPS_PROXY",
        ),
        (
            "expired",
            at_the_company(&to(expired.port, "200 OK").await)
                .variable("POLYTOMIC_CA_FILE", &expired.ca_file),
            "not valid at this time",
            "clock",
        ),
        (
            "plain http",
            at_the_company(&to(plain_port, "200 OK").await),
            "does not speak TLS",
            "plain http",
        ),
        (
            "a proxy that refuses",
            at_the_company(&refusing),
            "The proxy does not connect",
            "HTTPS_PROXY",
        ),
        (
            "a proxy that is not there",
            at_the_company("http://127.0.0.1:9"),
            "Cannot connect to the proxy",
            "HTTPS_PROXY",
        ),
        (
            "no proxy",
            at_the_company(&open).variable("NO_PROXY", HOST),
            "Cannot connect",
            "NO_PROXY",
        ),
    ] {
        let launch = launch.variable("POLYTOMIC_TIMEOUT_SECONDS", "1");
        let error = result(launch).await.unwrap_err();
        assert_eq!(error["outcome"], "not_sent", "{label}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{label}: {error}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{label}: {error}");
    }
}

#[tokio::test]
async fn a_file_without_certificates_is_the_error_of_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let gone = directory.path().join("gone.pem");
    let in_folder = |path: &Path| path.to_str().unwrap().to_owned();
    for (file, part) in [
        (write("empty.pem", ""), "there is none"),
        (write("text.pem", "no certificate"), "there is none"),
        (
            write("bad.pem", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
            "cannot be used",
        ),
        (in_folder(&gone), "No such file"),
        (in_folder(directory.path()), "cannot be used"),
    ] {
        let launch = Launch::against("https://localhost:1").variable("POLYTOMIC_CA_FILE", &file);
        let error = result(launch).await.unwrap_err();
        assert_eq!(error["code"], "not_configured", "{file}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{file}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("POLYTOMIC_CA_FILE"), "{file}: {error}");
    }
}
