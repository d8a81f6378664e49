//! An OAuth issuer: its metadata, its keys, which it can replace, and the access tokens that it signs.
//!
//! The unit tests of `src/http/oauth/` include this file as well.
#![allow(dead_code, reason = "each of the two crates of tests uses a part of it")]

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const KEYS_PATH: &str = "/keys";

/// An issuer on this machine.
pub(crate) struct TestIssuer {
    server: MockServer,
    /// Its identifier, as in its metadata and tokens.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    signing_key: SigningKey,
    keys: Vec<Value>,
    next_key: usize,
    metadata_path: String,
    metadata: Value,
    /// In place of the keys.
    keys_response: Option<ResponseTemplate>,
    delay: Duration,
}

impl TestIssuer {
    /// An issuer on a free port, with an ES256 key.
    pub(crate) async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), "").await
    }

    /// An issuer whose identifier has a path.
    pub(crate) async fn start_on(listener: TcpListener, path: &str) -> Self {
        let server = MockServer::builder().listener(listener).start().await;
        let url = format!("{}{path}", server.uri());
        let metadata = json!({
            "issuer": url,
            "jwks_uri": format!("{}{KEYS_PATH}", server.uri()),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        });
        let signing_key = SigningKey::es256("key-0");
        let state = State {
            keys: vec![signing_key.jwk()],
            signing_key,
            next_key: 1,
            metadata_path: format!("/.well-known/oauth-authorization-server{path}"),
            metadata,
            keys_response: None,
            delay: Duration::ZERO,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let respond = move |request: &Request| shared.lock().unwrap().response(request.url.path());
        Mock::given(any()).respond_with(respond).mount(&server).await;
        Self { server, url, state }
    }

    /// A token with these claims. By default it is for `user-1` and valid for five minutes; null removes a claim.
    pub(crate) fn token(&self, claims: Value) -> String {
        let state = self.state.lock().unwrap();
        let claims = self.claims(claims);
        state.signing_key.sign(&state.signing_key.header(), &claims)
    }

    /// The claims of [`Self::token`].
    pub(crate) fn claims(&self, claims: Value) -> Value {
        let now = now();
        let mut all = json!({"iss": self.url, "sub": "user-1", "iat": now, "exp": now + 300});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        all
    }

    /// Signs with a new key from now on, and publishes no other one.
    pub(crate) fn rotate(&self) {
        let mut state = self.state.lock().unwrap();
        let key = SigningKey::es256(&format!("key-{}", state.next_key));
        state.next_key += 1;
        state.keys = vec![key.jwk()];
        state.signing_key = key;
    }

    /// Publishes exactly these keys.
    pub(crate) fn publish(&self, keys: Vec<Value>) {
        self.state.lock().unwrap().keys = keys;
    }

    /// Responds to requests for the keys with a template; none to respond with the keys again.
    pub(crate) fn respond_with(&self, response: Option<ResponseTemplate>) {
        self.state.lock().unwrap().keys_response = response;
    }

    /// Delays every response that begins from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Serves this metadata at another path, and 404 at the usual one.
    pub(crate) fn serve_metadata(&self, path: &str, change: Value) {
        let mut state = self.state.lock().unwrap();
        path.clone_into(&mut state.metadata_path);
        for (name, value) in change.as_object().unwrap() {
            state.metadata[name] = value.clone();
        }
        state.metadata.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }

    /// How many requests for the keys it has received.
    pub(crate) async fn count_key_requests(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == KEYS_PATH).count()
    }

    /// The paths of all requests.
    pub(crate) async fn requested_paths(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().map(|request| request.url.path().to_owned()).collect()
    }
}

impl State {
    fn response(&self, path: &str) -> ResponseTemplate {
        let response = match path {
            KEYS_PATH => self.keys_response.clone().unwrap_or_else(|| {
                ResponseTemplate::new(200).set_body_json(json!({"keys": self.keys}))
            }),
            path if path == self.metadata_path => {
                ResponseTemplate::new(200).set_body_json(&self.metadata)
            }
            _ => ResponseTemplate::new(404),
        };
        response.set_delay(self.delay)
    }
}

/// A key that signs tokens.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) algorithm: &'static str,
    key: PrivateKey,
}

enum PrivateKey {
    Rsa(Box<RsaKeyPair>, &'static dyn signature::RsaEncoding),
    Ecdsa(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub(crate) fn es256(id: &str) -> Self {
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::ecdsa(id, "ES256", "P-256", algorithm)
    }

    pub(crate) fn es384(id: &str) -> Self {
        let algorithm = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
        Self::ecdsa(id, "ES384", "P-384", algorithm)
    }

    fn ecdsa(
        id: &str,
        name: &'static str,
        curve: &'static str,
        algorithm: &'static signature::EcdsaSigningAlgorithm,
    ) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), algorithm: name, key: PrivateKey::Ecdsa(key, curve) }
    }

    pub(crate) fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { id: id.to_owned(), algorithm: "EdDSA", key: PrivateKey::Ed25519(key) }
    }

    /// The RSA key of the tests, which ring cannot generate.
    pub(crate) fn rsa(id: &str, algorithm: &'static str) -> Self {
        let encoding: &'static dyn signature::RsaEncoding = match algorithm {
            "RS256" => &signature::RSA_PKCS1_SHA256,
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            "PS512" => &signature::RSA_PSS_SHA512,
            _ => panic!("{algorithm} is not for RSA keys"),
        };
        let pem = include_str!("issuer_rsa_key.pem").lines();
        let base64: String = pem.filter(|line| !line.starts_with(['#', '-'])).collect();
        let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
        Self { id: id.to_owned(), algorithm, key: PrivateKey::Rsa(Box::new(key), encoding) }
    }

    /// Its public part.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            PrivateKey::Rsa(key, _) => {
                let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "n": base64(public.n), "e": base64(public.e)})
            }
            PrivateKey::Ecdsa(key, curve) => {
                // 4, x and y.
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64(x), "y": base64(y)})
            }
            PrivateKey::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64(key.public_key())})
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The header of its tokens.
    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm, "kid": self.id})
    }

    /// A token, signed as the key does, whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let random = SystemRandom::new();
        let bytes = message.as_bytes();
        let signature = match &self.key {
            PrivateKey::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, bytes, &mut signature).unwrap();
                signature
            }
            PrivateKey::Ecdsa(key, _) => key.sign(&random, bytes).unwrap().as_ref().to_vec(),
            PrivateKey::Ed25519(key) => key.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", base64(signature))
    }
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
