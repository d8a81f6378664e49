//! SHA-256, for names and comparisons of what must not be stored itself.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// A SHA-256 digest.
pub(crate) type Sha256 = [u8; SHA256_OUTPUT_LEN];

/// The SHA-256 digest of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    let mut result = Sha256::default();
    result.copy_from_slice(digest(&SHA256, bytes).as_ref());
    result
}

/// A digest in lowercase hexadecimal digits.
pub(crate) fn to_hex(digest: Sha256) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
