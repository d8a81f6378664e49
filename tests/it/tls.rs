//! https: only a trusted server gets a request; the error for any other names the variable to set.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Launch, Session};

/// A server with one response, and its certificate as a file.
async fn server(directory: &std::path::Path) -> (String, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = directory.join("certificate.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (peer, _) = listener.accept().await.unwrap();
            let Ok(mut peer) = acceptor.accept(peer).await else { continue };
            let mut request = vec![0; 65536];
            let _ = peer.read(&mut request).await;
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";
            let _ = peer.write_all(response).await;
        }
    });
    (format!("https://localhost:{port}"), file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_certificate_is_trusted_only_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let (url, file) = server(directory.path()).await;
    let launch = Launch::against(&url).variable("SSL_CERT_FILE", &file);
    let mut session = Session::open(&launch).await;
    let found = session.call("list_connections", json!({})).await;
    assert_eq!(found, json!({"connections": []}));

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let strange = directory.path().join("other.pem");
    std::fs::write(&strange, other.cert.pem()).unwrap();
    let launch = Launch::against(&url).variable("SSL_CERT_FILE", strange.to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!(error["code"], "upstream_unavailable");
    assert_eq!(error["outcome"], "not_sent");
    assert!(error["hint"].as_str().unwrap().contains("SSL_CERT_FILE"), "{error}");
}

#[tokio::test]
async fn a_machine_without_certificates_gets_a_hint_what_to_install() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let launch = Launch::against("https://localhost:1")
        .variable("SSL_CERT_FILE", empty.to_str().unwrap())
        .variable("SSL_CERT_DIR", directory.path().to_str().unwrap());
    let mut session = Session::open(&launch).await;
    let error = session.call_err("list_connections", json!({})).await;
    assert_eq!(error["code"], "not_configured", "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("ca-certificates") && hint.contains("SSL_CERT_FILE"), "{error}");
}
