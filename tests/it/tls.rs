//! https: only a trusted server gets a request; the error for any other names the variable to set.

use serde_json::json;

use crate::support::{Launch, Session, self_signed};

#[tokio::test]
async fn a_certificate_is_trusted_only_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let (url, file) = self_signed(directory.path()).await;
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
