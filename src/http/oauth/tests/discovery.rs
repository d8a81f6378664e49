//! Where the keys are looked for, and what is not accepted as such.

use std::net::TcpListener;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, pki_types::PrivateKeyDer};
use wiremock::ResponseTemplate;

use super::issuer::{SigningKey, TestIssuer};
use super::{AUDIENCE, AccessTokens, Settings, access_tokens, settings};
use crate::http::oauth::token_error::TokenError;

async fn is_accepted(issuer: &TestIssuer) -> bool {
    let tokens = access_tokens(issuer);
    match tokens.validate(&issuer.token(json!({"aud": AUDIENCE}))).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, TokenError::IssuerUnreachable);
            assert_eq!(error.status(), hyper::StatusCode::SERVICE_UNAVAILABLE);
            false
        }
    }
}

async fn with_path() -> TestIssuer {
    TestIssuer::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), "/tenants/1").await
}

#[tokio::test]
async fn metadata_is_found_at_each_of_its_places() {
    let issuer = with_path().await;
    let places = [
        "/.well-known/oauth-authorization-server/tenants/1",
        "/.well-known/openid-configuration/tenants/1",
        "/tenants/1/.well-known/openid-configuration",
    ];
    for (index, place) in places.into_iter().enumerate() {
        issuer.serve_metadata(place, json!({}));
        let before = issuer.requested_paths().await.len();
        assert!(is_accepted(&issuer).await, "{place}");
        let paths = issuer.requested_paths().await.split_off(before);
        assert_eq!(paths, [&places[..=index], &["/keys"]].concat());
    }
    issuer.serve_metadata("/.well-known/openid-configuration", json!({}));
    assert!(!is_accepted(&issuer).await, "the metadata of another issuer on the host");
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let issuer = TestIssuer::start().await;
    let place = "/.well-known/oauth-authorization-server";
    let is_accepted_with = async |change: Value| {
        issuer.serve_metadata(place, change);
        is_accepted(&issuer).await
    };
    assert!(is_accepted_with(json!({})).await);
    assert!(!is_accepted_with(json!({"issuer": format!("{}/", issuer.url)})).await);
    assert!(!is_accepted_with(json!({"issuer": "https://other.example.com"})).await);
    assert!(!is_accepted_with(json!({"issuer": [issuer.url]})).await);
    assert!(is_accepted_with(json!({"issuer": issuer.url})).await);
    for keys in [json!("file:///etc/passwd"), json!("/keys"), json!(""), json!(7), json!(null)] {
        assert!(!is_accepted_with(json!({"jwks_uri": keys})).await, "{keys}");
    }
}

#[tokio::test]
async fn what_is_no_set_of_keys_is_not_used() {
    let issuer = TestIssuer::start().await;
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let key = SigningKey::es256("a").jwk();
    let elsewhere = format!("{}/elsewhere", issuer.url);
    for (label, response) in [
        ("garbage", ResponseTemplate::new(200).set_body_string("<html>")),
        ("nothing", ResponseTemplate::new(200)),
        ("no set", json(key.clone())),
        ("no list", json(json!({"keys": key}))),
        ("no keys", json(json!({"keys": []}))),
        ("only a secret", json(json!({"keys": [{"kty": "oct", "k": "AAAA"}]}))),
        ("deep", ResponseTemplate::new(200).set_body_string("[".repeat(500_000))),
        ("an error", ResponseTemplate::new(500)),
        ("a redirect", ResponseTemplate::new(302).insert_header("Location", elsewhere)),
        ("no content", ResponseTemplate::new(204)),
    ] {
        issuer.respond_with(Some(response));
        assert!(!is_accepted(&issuer).await, "{label}");
    }
    assert!(!issuer.requested_paths().await.contains(&"/elsewhere".to_owned()));
    issuer.respond_with(None);
    assert!(is_accepted(&issuer).await);
}

#[tokio::test]
async fn a_huge_set_of_keys_is_not_read() {
    let issuer = TestIssuer::start().await;
    let signing_key = SigningKey::es256("the last one");
    let mut keys: Vec<Value> =
        (0..2000).map(|n| SigningKey::es256(&format!("{n}")).jwk()).collect();
    keys.push(signing_key.jwk());
    issuer.publish(keys.clone());
    let token = signing_key.sign(&signing_key.header(), &issuer.claims(json!({"aud": AUDIENCE})));
    assert!(access_tokens(&issuer).validate(&token).await.is_ok());
    let anonymous = json!({"alg": "ES256"});
    let anonymous = signing_key.sign(&anonymous, &issuer.claims(json!({"aud": AUDIENCE})));
    let result = access_tokens(&issuer).validate(&anonymous).await;
    assert_eq!(result, Err(TokenError::BadSignature), "more keys than are tried");
    keys[0]["x5c"] = json!(["A".repeat(1 << 20)]);
    issuer.publish(keys);
    let result = access_tokens(&issuer).validate(&token).await;
    assert_eq!(result, Err(TokenError::IssuerUnreachable));
}

#[tokio::test]
async fn an_https_issuer_has_its_keys_behind_https() {
    for issuer in ["ftp://a", "http://issuer.example.com", "https://u:p@issuer.example.com"] {
        assert!(AccessTokens::new(settings(issuer)).is_err(), "{issuer}");
    }
    let mut allowed = settings("http://issuer.example.com");
    allowed.allow_http = true;
    assert!(AccessTokens::new(allowed).is_ok());
}

/// Forwards TLS connections to an issuer, which does not speak TLS; returns its identifier and its authority's certificate.
async fn behind_tls(issuer: &TestIssuer) -> (String, reqwest::Certificate) {
    // Fails if another test has installed it, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let target = issuer.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut target = tokio::net::TcpStream::connect(target).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut target).await
            });
        }
    });
    (url, certificate)
}

#[tokio::test]
async fn keys_behind_tls_need_a_trusted_certificate_and_an_https_url() {
    let issuer = TestIssuer::start().await;
    let (url, certificate) = behind_tls(&issuer).await;
    let place = "/.well-known/oauth-authorization-server";
    let token = issuer.token(json!({"aud": AUDIENCE, "iss": url}));
    let validate = async |keys_url: String, certificates: Vec<reqwest::Certificate>| {
        issuer.serve_metadata(place, json!({"issuer": url, "jwks_uri": keys_url}));
        let tokens = AccessTokens::new(Settings { certificates, ..settings(&url) }).unwrap();
        tokens.validate(&token).await.map(drop)
    };
    let keys_url = format!("{url}/keys");
    let unreachable = Err(TokenError::IssuerUnreachable);
    assert_eq!(validate(keys_url.clone(), Vec::new()).await, unreachable, "an unknown authority");
    assert_eq!(validate(keys_url, vec![certificate.clone()]).await, Ok(()));
    let plain = format!("{}/keys", issuer.url);
    assert_eq!(validate(plain, vec![certificate]).await, unreachable, "keys over plain http");
    assert_eq!(issuer.count_key_requests().await, 1);
}
