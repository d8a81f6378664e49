//! Networks of companies: a proxy between us and the service, and a certificate authority of their own.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{
    COMPANY_HOST as HOST, ClosedPort, Company, Launch, Proxy, Session, UNKNOWN_HOST, at_the_company,
};

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
    let closed = ClosedPort::new();
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
            at_the_company(&closed.url()),
            "Cannot connect to the proxy",
            "HTTPS_PROXY",
        ),
        (
            "no proxy",
            Launch::against(&format!("https://{UNKNOWN_HOST}"))
                .variable("HTTPS_PROXY", &open)
                .variable("NO_PROXY", UNKNOWN_HOST),
            "Cannot connect",
            "NO_PROXY",
        ),
    ] {
        let launch = launch.variable("POLYTOMIC_TIMEOUT_SECONDS", "3");
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
