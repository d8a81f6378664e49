//! Access tokens of an external issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::support::client;
use crate::support::issuer::TestIssuer;

#[tokio::test]
async fn the_issuer_of_the_tests_publishes_the_key_it_signs_with() {
    let issuer = TestIssuer::start().await;
    let client = client();
    let get =
        async |url: &str| -> Value { client.get(url).send().await.unwrap().json().await.unwrap() };
    let well_known = format!("{}/.well-known/oauth-authorization-server", issuer.url);
    let metadata = get(&well_known).await;
    assert_eq!(metadata["issuer"], issuer.url.as_str());
    for key_id in ["key-0", "key-1"] {
        let token = issuer.token(json!({"aud": "https://mcp.example.com/mcp", "iat": null}));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let parts = message.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
        let [header, claims]: [Value; 2] = parts
            .map(|json| serde_json::from_slice(&json).unwrap())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        assert_eq!(header, json!({"typ": "at+jwt", "alg": "ES256", "kid": key_id}));
        assert_eq!(claims["sub"], "user-1");
        assert!(claims.get("iat").is_none(), "{claims}");
        let keys = get(metadata["jwks_uri"].as_str().unwrap()).await;
        assert_eq!(keys["keys"][0]["kid"], key_id);
        let coordinate =
            |name: &str| URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.verify(message.as_bytes(), &signature).is_ok());
        issuer.rotate();
    }
    assert_eq!(issuer.count_key_requests().await, 2);
}
