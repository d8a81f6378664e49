//! Which tokens are valid, and why the others are rejected.

use hyper::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

use super::issuer::{SigningKey, TestIssuer, base64, now, unsigned};
use super::{AUDIENCE, AccessTokens, access_tokens, settings};
use crate::http::oauth::token_error::TokenError;

fn of_audience(issuer: &TestIssuer, change: Value) -> Value {
    let mut claims = json!({"aud": AUDIENCE});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    issuer.claims(claims)
}

/// A token with changed claims, and a header with changed members, signed with the issuer's key.
async fn validate(
    (issuer, key, tokens): (&TestIssuer, &SigningKey, &AccessTokens),
    header: Value,
    claims: Value,
) -> Result<String, TokenError> {
    let mut all = key.header();
    for (name, value) in header.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    tokens.validate(&key.sign(&all, &of_audience(issuer, claims))).await
}

fn wrong_audience() -> TokenError {
    TokenError::WrongAudience { expected: AUDIENCE.to_owned() }
}

#[tokio::test]
async fn a_token_is_valid_with_each_asymmetric_algorithm() {
    let issuer = TestIssuer::start().await;
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let mut keys: Vec<_> = rsa.map(|algorithm| SigningKey::rsa(algorithm, algorithm)).into();
    keys.extend([SigningKey::es256("a"), SigningKey::es384("b"), SigningKey::ed25519("c")]);
    issuer.publish(keys.iter().map(SigningKey::jwk).collect());
    let tokens = access_tokens(&issuer);
    for key in &keys {
        let result = validate((&issuer, key, &tokens), json!({}), json!({})).await;
        assert!(result.is_ok(), "{}: {result:?}", key.algorithm);
    }
    assert_eq!(issuer.count_key_requests().await, 1);
}

#[tokio::test]
async fn claims_are_validated() {
    let issuer = TestIssuer::start().await;
    let key = SigningKey::es256("a");
    issuer.publish(vec![key.jwk()]);
    let tokens = access_tokens(&issuer);
    let wrong_issuer = || TokenError::WrongIssuer { expected: issuer.url.clone() };
    let no_expiry = TokenError::Malformed("it has no valid time of expiry (exp)");
    let other_json =
        TokenError::Malformed("its header or claims are not those of a JSON Web Token");
    let nobody = TokenError::Malformed("it names neither a subject (sub) nor a client_id");
    let not_a_number = TokenError::Malformed("one of its times is not a number");
    let with_slash = format!("{}/", issuer.url);
    for (claims, expected) in [
        (json!({}), Ok(())),
        (json!({"aud": ["https://other.example.com", AUDIENCE]}), Ok(())),
        (json!({"exp": now() - 30}), Ok(())),
        (json!({"nbf": now() + 30}), Ok(())),
        (json!({"nbf": now() - 30, "iat": now() + 300}), Ok(())),
        (json!({"sub": null, "client_id": "a-client"}), Ok(())),
        (json!({"exp": now() - 90}), Err(TokenError::Expired)),
        (json!({"exp": 0}), Err(TokenError::Expired)),
        (json!({"exp": null}), Err(no_expiry.clone())),
        (json!({"exp": "tomorrow"}), Err(no_expiry.clone())),
        (json!({"exp": -1}), Err(no_expiry)),
        (json!({"exp": [now() + 300]}), Err(other_json.clone())),
        (json!({"nbf": now() + 90}), Err(TokenError::NotYetValid)),
        (json!({"nbf": "tomorrow"}), Err(not_a_number)),
        (json!({"iss": "https://other.example.com"}), Err(wrong_issuer())),
        (json!({"iss": with_slash}), Err(wrong_issuer())),
        (json!({"iss": null}), Err(wrong_issuer())),
        (json!({"iss": [issuer.url]}), Err(other_json.clone())),
        (json!({"aud": null}), Err(wrong_audience())),
        (json!({"aud": "https://other.example.com/mcp"}), Err(wrong_audience())),
        (json!({"aud": "https://mcp.example.com/mcp/more"}), Err(wrong_audience())),
        (json!({"aud": []}), Err(wrong_audience())),
        (
            json!({"aud": "client-7", "azp": AUDIENCE, "nonce": "of an ID token"}),
            Err(wrong_audience()),
        ),
        (json!({"sub": null}), Err(nobody.clone())),
        (json!({"sub": ""}), Err(nobody)),
        (json!({"sub": 5}), Err(other_json)),
    ] {
        let result = validate((&issuer, &key, &tokens), json!({}), claims.clone()).await;
        assert_eq!(result.map(drop), expected, "{claims}");
    }
}

#[tokio::test]
async fn the_header_selects_a_published_key_and_nothing_else() {
    let issuer = TestIssuer::start().await;
    let key = SigningKey::es256("a");
    let other = SigningKey::es256("b");
    issuer.publish(vec![SigningKey::rsa("rsa", "RS256").jwk(), key.jwk()]);
    let tokens = access_tokens(&issuer);
    let wrong_type = TokenError::Malformed("its type (typ) is neither at+jwt nor JWT");
    let other_json =
        TokenError::Malformed("its header or claims are not those of a JSON Web Token");
    for (header, expected) in [
        (json!({"typ": "JWT"}), Ok(())),
        (json!({"typ": "application/at+jwt"}), Ok(())),
        (json!({"typ": null}), Ok(())),
        (json!({"kid": null}), Ok(())),
        (json!({"typ": "dpop+jwt"}), Err(wrong_type.clone())),
        (json!({"typ": "logout+jwt"}), Err(wrong_type)),
        (json!({"alg": "none"}), Err(TokenError::Algorithm)),
        (json!({"alg": "HS256"}), Err(TokenError::Algorithm)),
        (json!({"alg": "ES384"}), Err(TokenError::Algorithm)),
        (json!({"alg": "EdDSA"}), Err(TokenError::Algorithm)),
        (json!({"kid": "rsa"}), Err(TokenError::Algorithm)),
        // The key is for RS256 only.
        (json!({"kid": "rsa", "alg": "PS256"}), Err(TokenError::Algorithm)),
        (json!({"kid": "rsa", "alg": "RS256"}), Err(TokenError::BadSignature)),
        (json!({"kid": "../a"}), Err(TokenError::UnknownKey)),
        (json!({"kid": "/keys/a"}), Err(TokenError::UnknownKey)),
        (json!({"kid": "/dev/null"}), Err(TokenError::UnknownKey)),
        (json!({"kid": "a' OR '1'='1"}), Err(TokenError::UnknownKey)),
        (json!({"kid": "A"}), Err(TokenError::UnknownKey)),
        (json!({"kid": ""}), Err(TokenError::UnknownKey)),
        // Keys and URLs of keys that anybody can add.
        (json!({"kid": "b", "jwk": other.jwk()}), Err(TokenError::UnknownKey)),
        (json!({"kid": "b", "jku": format!("{}/other", issuer.url)}), Err(TokenError::UnknownKey)),
        (json!({"crit": ["exp"], "exp": 1}), Err(other_json.clone())),
        (json!({"b64": false, "crit": ["b64"]}), Err(other_json)),
    ] {
        let result = validate((&issuer, &key, &tokens), header.clone(), json!({})).await;
        assert_eq!(result.map(drop), expected, "{header}");
    }
    let header = json!({"kid": "a", "jwk": other.jwk()});
    let result = validate((&issuer, &other, &tokens), header, json!({})).await;
    assert_eq!(result, Err(TokenError::BadSignature));
    assert!(!issuer.requested_paths().await.contains(&"/other".to_owned()));
}

#[tokio::test]
async fn what_is_no_token_is_rejected_and_not_repeated() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let valid = issuer.token(json!({"aud": AUDIENCE}));
    assert!(tokens.validate(&valid).await.is_ok());
    let [header, claims, signature] = valid.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_claims = base64(of_audience(&issuer, json!({"sub": "admin"})).to_string());
    let two_algorithms = base64(r#"{"alg":"ES256","alg":"none","kid":"key-0"}"#);
    let twice = base64(format!(r#"{{"sub":"a","sub":"b","aud":"{AUDIENCE}"}}"#));
    let unsigned_header = json!({"alg": "none", "kid": "key-0"});
    let long = "a".repeat(17 << 10);
    for (label, token) in [
        ("nothing", String::new()),
        ("opaque", "4711-secret-4711".to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{valid}.{signature}")),
        ("five parts, encrypted", format!("{header}..{claims}.{claims}.{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("cut", valid[..valid.len() - 2].to_owned()),
        ("padded", format!("{valid}==")),
        ("white space", format!(" {valid}")),
        ("other claims", format!("{header}.{other_claims}.{signature}")),
        ("claims that are not JSON", format!("{header}.{}.{signature}", base64("4711"))),
        ("unsigned", format!("{}.", unsigned(&unsigned_header, &issuer.claims(json!({}))))),
        ("a header with two algorithms", format!("{two_algorithms}.{claims}.{signature}")),
        ("claims with two subjects", format!("{header}.{twice}.{signature}")),
        ("a header that is not JSON", format!("{}.{claims}.{signature}", base64("4711"))),
        ("long", format!("{header}.{long}.{signature}")),
        ("long without dots", long),
    ] {
        let error = tokens.validate(&token).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED, "{label}: {error}");
        let text = error.to_string();
        assert!(!text.contains("4711") && text.len() < 300, "{label}: {text}");
        assert!(!text.contains(signature), "{label}: {text}");
    }
    let expired = tokens.validate(&issuer.token(json!({"aud": AUDIENCE, "exp": 5}))).await;
    assert_eq!(
        expired.unwrap_err().to_string(),
        "The access token has expired. Get a new one from the issuer."
    );
    let for_another = tokens.validate(&issuer.token(json!({"aud": "4711-secret"}))).await;
    let text = for_another.unwrap_err().to_string();
    assert!(text.contains(AUDIENCE) && !text.contains("4711"), "{text}");
}

#[tokio::test]
async fn the_public_key_is_not_accepted_as_a_shared_secret() {
    let issuer = TestIssuer::start().await;
    let key = SigningKey::rsa("rsa", "RS256");
    issuer.publish(vec![key.jwk()]);
    let tokens = access_tokens(&issuer);
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "rsa"});
    let message = unsigned(&header, &of_audience(&issuer, json!({})));
    let jwk = key.jwk();
    for secret in [
        jwk["n"].as_str().unwrap(),
        &jwk.to_string(),
        include_str!("issuer_rsa_public_key.pem"),
        "",
    ] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = base64(hmac::sign(&secret, message.as_bytes()));
        let result = tokens.validate(&format!("{message}.{signature}")).await;
        assert_eq!(result, Err(TokenError::Algorithm));
    }
    // Nor if the issuer publishes the secret.
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"shared");
    issuer.publish(vec![json!({"kty": "oct", "k": base64("shared"), "kid": "rsa"}), key.jwk()]);
    let signature = base64(hmac::sign(&secret, message.as_bytes()));
    let tokens = access_tokens(&issuer);
    let result = tokens.validate(&format!("{message}.{signature}")).await;
    assert_eq!(result, Err(TokenError::Algorithm));
    assert!(validate((&issuer, &key, &tokens), json!({}), json!({})).await.is_ok());
}

#[tokio::test]
async fn a_key_verifies_only_what_it_is_published_for() {
    let issuer = TestIssuer::start().await;
    let key = SigningKey::rsa("a", "RS256");
    let changed = |change: Value| {
        let mut jwk = key.jwk();
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    };
    let leading_zero = {
        use ::base64::Engine;
        let engine = ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let modulus = engine.decode(key.jwk()["n"].as_str().unwrap()).unwrap();
        base64([vec![0], modulus].concat())
    };
    for (change, expected) in [
        (json!({}), Ok(())),
        (json!({"alg": null, "use": null}), Ok(())),
        (json!({"use": null, "key_ops": ["verify"]}), Ok(())),
        (json!({"n": leading_zero}), Ok(())),
        (json!({"x5c": ["not read"], "x-vendor": {"a": 1}}), Ok(())),
        (json!({"use": "enc"}), Err(TokenError::UnknownKey)),
        (json!({"use": null, "key_ops": ["encrypt"]}), Err(TokenError::UnknownKey)),
        (json!({"alg": "RSA-OAEP"}), Err(TokenError::UnknownKey)),
        (json!({"alg": "HS256"}), Err(TokenError::UnknownKey)),
        (json!({"alg": "RS999"}), Err(TokenError::UnknownKey)),
        (json!({"alg": "RS512"}), Err(TokenError::Algorithm)),
        (json!({"kty": "EC"}), Err(TokenError::UnknownKey)),
        (json!({"kty": 5}), Err(TokenError::UnknownKey)),
        (json!({"n": "???"}), Err(TokenError::UnknownKey)),
        (json!({"n": "AQAB"}), Err(TokenError::BadSignature)),
        (json!({"kid": null}), Err(TokenError::UnknownKey)),
    ] {
        // Another key, so that the set is not empty.
        issuer.publish(vec![
            json!({"kty": "new"}),
            json!(7),
            changed(change.clone()),
            SigningKey::ed25519("b").jwk(),
        ]);
        let tokens = access_tokens(&issuer);
        let result = validate((&issuer, &key, &tokens), json!({}), json!({})).await;
        assert_eq!(result.map(drop), expected, "{change}");
    }
    let mut jwk = SigningKey::ed25519("a").jwk();
    jwk["crv"] = json!("X25519");
    let p521 = json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "c"});
    issuer.publish(vec![jwk, p521, json!({"kty": "OKP", "crv": "P-256", "x": "AA", "kid": "d"})]);
    let result = validate((&issuer, &key, &access_tokens(&issuer)), json!({}), json!({})).await;
    assert_eq!(result, Err(TokenError::IssuerUnreachable));
}

#[tokio::test]
async fn a_caller_is_the_subject_of_the_issuer() {
    let issuer = TestIssuer::start().await;
    let tokens = access_tokens(&issuer);
    let subject = async |claims: Value| {
        let mut all = json!({"aud": AUDIENCE});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        tokens.validate(&issuer.token(all)).await.unwrap()
    };
    let first = subject(json!({"scope": "read  write", "client_id": "x"})).await;
    assert!(!first.contains("user-1") && first.len() == 43, "{first:?}");
    assert_eq!(subject(json!({"jti": "7", "scope": 5})).await, first);
    assert_ne!(subject(json!({"sub": "user-2"})).await, first);
    let client = subject(json!({"sub": null, "client_id": "user-1"})).await;
    assert_ne!(client, first, "a client is not the user of its name");
    let other_issuer = TestIssuer::start().await;
    let other = access_tokens(&other_issuer);
    let other = other.validate(&other_issuer.token(json!({"aud": AUDIENCE}))).await.unwrap();
    assert_ne!(other, first);
}

#[tokio::test]
async fn a_server_without_a_path_has_two_spellings() {
    let issuer = TestIssuer::start().await;
    for (audience, claimed, is_valid) in [
        ("https://mcp.example.com", "https://mcp.example.com/", true),
        ("https://mcp.example.com/", "https://mcp.example.com", true),
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp/", false),
        ("api://polytomic", "api://polytomic", true),
        ("polytomic", "polytomic/", false),
    ] {
        let mut settings = settings(&issuer.url);
        settings.audience = audience.to_owned();
        let tokens = AccessTokens::new(settings).unwrap();
        let result = tokens.validate(&issuer.token(json!({"aud": claimed}))).await;
        assert_eq!(result.is_ok(), is_valid, "{audience}, {claimed}: {result:?}");
    }
}
