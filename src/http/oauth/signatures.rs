//! Verifies signatures with ring, for `jsonwebtoken`, which leaves its cryptography to a provider of the process.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as ring;

/// Verifies what the issuer has signed; this crate signs nothing.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier::new(*algorithm, key)?)),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// Installs the provider, unless a program that uses this crate as a library has one: that may also sign.
pub(super) fn install() {
    if CryptoProvider::try_get_default().is_none() {
        // Fails if another thread has installed one in between, which serves as well.
        let _ = PROVIDER.install_default();
    }
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

struct RingVerifier {
    algorithm: Algorithm,
    key: PublicKey,
}

enum PublicKey {
    Rsa(&'static ring::RsaParameters, ring::RsaPublicKeyComponents<Vec<u8>>),
    Other(ring::UnparsedPublicKey<Vec<u8>>),
}

impl RingVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        if algorithm.family() != key.family() {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let key = match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let parameters = rsa_parameters(algorithm).ok_or_else(unsupported)?;
                let components =
                    ring::RsaPublicKeyComponents { n: significant(n), e: significant(e) };
                PublicKey::Rsa(parameters, components)
            }
            DecodingKeyKind::SecretOrDer(bytes) => {
                let parameters: &dyn ring::VerificationAlgorithm = match algorithm {
                    Algorithm::ES256 => &ring::ECDSA_P256_SHA256_FIXED,
                    Algorithm::ES384 => &ring::ECDSA_P384_SHA384_FIXED,
                    Algorithm::EdDSA => &ring::ED25519,
                    _ => return Err(unsupported()),
                };
                PublicKey::Other(ring::UnparsedPublicKey::new(parameters, bytes.clone()))
            }
        };
        Ok(Self { algorithm, key })
    }
}

/// ring rejects keys under 2048 bits.
fn rsa_parameters(algorithm: Algorithm) -> Option<&'static ring::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &ring::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &ring::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &ring::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &ring::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &ring::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &ring::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// Without leading zeros, which some issuers write and ring rejects.
fn significant(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let result = match &self.key {
            PublicKey::Rsa(parameters, key) => key.verify(parameters, message, signature),
            PublicKey::Other(key) => key.verify(message, signature),
        };
        result.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
