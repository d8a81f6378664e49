//! Texts that come back through a client, which can neither read nor alter them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// Length of a key in bytes.
pub(super) const KEY_BYTES: usize = 32;
/// A longer text is not one of ours.
const MAX_TEXT_BYTES: usize = 512;

/// A key that seals.
pub(super) struct Seal(LessSafeKey);

impl Seal {
    pub(super) fn new(key: &[u8; KEY_BYTES]) -> Option<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals bytes for a purpose; none without randomness.
    pub(super) fn seal(&self, purpose: &str, mut bytes: Vec<u8>) -> Option<String> {
        let nonce = random::<NONCE_LEN>()?;
        let aead_nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(aead_nonce, Aad::from(purpose), &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()))
    }

    /// Opens a text that was sealed with this key for the same purpose.
    pub(super) fn open(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        let text = Some(text).filter(|text| text.len() <= MAX_TEXT_BYTES)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
        let opened = self.0.open_in_place(nonce, Aad::from(purpose), &mut sealed).ok()?;
        Some(opened.to_vec())
    }
}

/// Random bytes; none if the system has none.
pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}
