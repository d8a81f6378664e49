//! The keys that an issuer publishes, and which of them may have signed a token.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

use super::token_error::TokenError;
use super::token_header::TokenHeader;

/// The most keys that are tried on one token. An issuer has a few, each with an id.
const MAX_CANDIDATES: usize = 16;

/// The keys of an issuer that verify signatures.
#[derive(Debug)]
pub(super) struct KeySet(Vec<IssuerKey>);

#[derive(Debug)]
struct IssuerKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys of other kinds and for other uses are left out, as RFC 7517 says; none if no key is left.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let mut set: Value = serde_json::from_slice(json).ok()?;
        let keys = match set.get_mut("keys")?.take() {
            Value::Array(keys) => keys.into_iter().filter_map(IssuerKey::parse).collect(),
            _ => Vec::new(),
        };
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The keys that may have signed a token: with its key id, if it has one, and for its algorithm.
    ///
    /// # Errors
    /// [`TokenError::UnknownKey`] if there is none with its id, [`TokenError::Algorithm`] if that is for another algorithm.
    pub(super) fn candidates(&self, header: &TokenHeader) -> Result<Vec<&DecodingKey>, TokenError> {
        let has_id = |key: &&IssuerKey| header.key_id.is_none() || key.id == header.key_id;
        let with_id: Vec<&IssuerKey> = self.0.iter().filter(has_id).collect();
        if with_id.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        let fits = |key: &&IssuerKey| key.algorithms.contains(&header.algorithm);
        let fitting = with_id.into_iter().filter(fits).map(|key| &key.key);
        let fitting: Vec<_> = fitting.take(MAX_CANDIDATES).collect();
        if fitting.is_empty() { Err(TokenError::Algorithm) } else { Ok(fitting) }
    }
}

impl IssuerKey {
    fn parse(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let verifies = jwk
            .common
            .public_key_use
            .as_ref()
            .is_none_or(|key_use| *key_use == PublicKeyUse::Signature)
            && jwk
                .common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !verifies {
            return None;
        }
        let of_kind = algorithms_of_kind(&jwk.algorithm)?;
        let algorithms = match jwk.common.key_algorithm {
            None => of_kind,
            Some(algorithm) => of_kind
                .into_iter()
                .filter(|of_kind| KeyAlgorithm::from(*of_kind) == algorithm)
                .collect(),
        };
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

/// The algorithms for a kind of key. A curve belongs to one algorithm; `jsonwebtoken` would also try the other one.
fn algorithms_of_kind(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    match parameters {
        AlgorithmParameters::RSA(_) => Some(AlgorithmFamily::Rsa.algorithms().to_vec()),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(vec![Algorithm::ES256]),
            EllipticCurve::P384 => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some(vec![Algorithm::EdDSA])
        }
        _ => None,
    }
}
