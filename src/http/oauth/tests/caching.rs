//! When the keys are fetched, and what happens while they cannot be.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::issuer::{SigningKey, TestIssuer};
use super::{AUDIENCE, AccessTokens, access_tokens, settings};
use crate::http::oauth::token_error::TokenError;

/// Moves the clock of the cache on. Nothing may be in flight, whose time limit would be over.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn wait_for_key_requests(issuer: &TestIssuer, count: usize) {
    let polling = async {
        while issuer.count_key_requests().await < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, polling).await.expect("a request for the keys");
}

fn token(issuer: &TestIssuer) -> String {
    issuer.token(json!({"aud": AUDIENCE}))
}

#[tokio::test]
async fn callers_share_one_fetch() {
    let issuer = TestIssuer::start().await;
    issuer.delay(Duration::from_millis(100));
    let tokens = access_tokens(&issuer);
    let texts: Vec<String> =
        (0..50).map(|n| issuer.token(json!({"aud": AUDIENCE, "jti": n}))).collect();
    let results = join_all(texts.iter().map(|text| tokens.validate(text))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(issuer.count_key_requests().await, 1);
}

#[tokio::test]
async fn a_fetch_goes_on_without_the_caller_who_began_it() {
    let issuer = TestIssuer::start().await;
    issuer.delay(Duration::from_millis(100));
    let tokens = access_tokens(&issuer);
    let text = token(&issuer);
    tokio::select! {
        biased;
        _ = tokens.validate(&text) => panic!("validated without keys"),
        () = std::future::ready(()) => {}
    }
    assert!(tokens.validate(&text).await.is_ok());
    assert_eq!(issuer.count_key_requests().await, 1);
}

#[tokio::test]
async fn new_keys_are_fetched_at_most_every_30_seconds() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let old = token(&issuer);
    assert!(tokens.validate(&old).await.is_ok());
    issuer.rotate();
    assert!(tokens.validate(&token(&issuer)).await.is_ok(), "the first unknown key is fetched");
    assert_eq!(tokens.validate(&old).await, Err(TokenError::UnknownKey));
    assert_eq!(issuer.count_key_requests().await, 2);

    issuer.rotate();
    let newest = token(&issuer);
    let results = join_all((0..20).map(|_| tokens.validate(&newest))).await;
    assert!(results.iter().all(|result| *result == Err(TokenError::UnknownKey)), "{results:?}");
    assert_eq!(issuer.count_key_requests().await, 2);
    pass(29).await;
    assert_eq!(tokens.validate(&newest).await, Err(TokenError::UnknownKey));
    pass(1).await;
    assert!(tokens.validate(&newest).await.is_ok());
    assert_eq!(issuer.count_key_requests().await, 3);
}

#[tokio::test]
async fn a_token_without_a_key_id_is_verified_after_a_rotation_too() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let keys = [SigningKey::es256("a"), SigningKey::es256("b")];
    for key in keys {
        issuer.publish(vec![SigningKey::es256("other").jwk(), key.jwk()]);
        let claims = issuer.claims(json!({"aud": AUDIENCE}));
        let text = key.sign(&json!({"alg": "ES256"}), &claims);
        assert!(tokens.validate(&text).await.is_ok(), "{}", key.id);
        pass(30).await;
    }
}

#[tokio::test]
async fn a_bad_signature_of_a_known_key_fetches_nothing() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    tokens.fetch_keys().await;
    let forged = SigningKey::es256("key-0");
    let text = forged.sign(&forged.header(), &issuer.claims(json!({"aud": AUDIENCE})));
    assert_eq!(tokens.validate(&text).await, Err(TokenError::BadSignature));
    assert_eq!(issuer.count_key_requests().await, 1);
}

#[tokio::test]
async fn a_slow_issuer_delays_no_token_with_a_known_key() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let known = token(&issuer);
    assert!(tokens.validate(&known).await.is_ok());
    issuer.delay(Duration::from_secs(60));
    let stranger = SigningKey::es256("stranger");
    let unknown = stranger.sign(&stranger.header(), &issuer.claims(json!({"aud": AUDIENCE})));
    let started = Instant::now();
    let mut waiting = std::pin::pin!(tokens.validate(&unknown));
    let in_between = async {
        for _ in 0..100 {
            assert!(tokens.validate(&known).await.is_ok());
        }
        started.elapsed()
    };
    tokio::select! {
        biased;
        result = &mut waiting => panic!("{result:?} without a response"),
        elapsed = in_between => assert!(elapsed < Duration::from_secs(4), "{elapsed:?}"),
    }
    // The request has its own time limit.
    assert_eq!(waiting.await, Err(TokenError::UnknownKey));
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}

#[tokio::test]
async fn keys_are_refreshed_in_the_background() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let text = token(&issuer);
    assert!(tokens.validate(&text).await.is_ok());
    pass(600).await;
    assert!(tokens.validate(&text).await.is_ok());
    assert_eq!(issuer.count_key_requests().await, 1, "ten minutes are not over");
    pass(1).await;
    assert!(tokens.validate(&text).await.is_ok());
    wait_for_key_requests(&issuer, 2).await;
}

#[tokio::test]
async fn known_keys_outlive_an_outage_of_less_than_an_hour() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let text = token(&issuer);
    assert!(tokens.validate(&text).await.is_ok());
    issuer.respond_with(Some(ResponseTemplate::new(500)));
    pass(1800).await;
    assert!(tokens.validate(&text).await.is_ok());
    wait_for_key_requests(&issuer, 2).await;
    assert!(tokens.validate(&text).await.is_ok());
    assert_eq!(issuer.count_key_requests().await, 2, "not at every call");
    pass(1801).await;
    assert_eq!(tokens.validate(&text).await, Err(TokenError::IssuerUnreachable));
    issuer.respond_with(None);
    pass(2).await;
    assert!(tokens.validate(&text).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_used_once_it_is_up() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let tokens = AccessTokens::new(settings(&url)).unwrap();
    tokens.fetch_keys().await;
    let key = SigningKey::es256("a");
    let early = key.sign(&key.header(), &json!({"iss": url, "aud": AUDIENCE}));
    assert_eq!(tokens.validate(&early).await, Err(TokenError::IssuerUnreachable));
    assert!(matches!(tokens.validate("garbage").await, Err(TokenError::Malformed(_))));

    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let issuer = TestIssuer::start_on(listener, "").await;
    assert_eq!(tokens.validate(&token(&issuer)).await, Err(TokenError::IssuerUnreachable));
    assert_eq!(
        issuer.count_key_requests().await,
        0,
        "an outage is no reason for a request per call"
    );
    pass(2).await;
    assert!(tokens.validate(&token(&issuer)).await.is_ok());
}
