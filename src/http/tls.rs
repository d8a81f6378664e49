//! TLS: the certificate and key of the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Larger files hold something else.
const MAX_FILE_BYTES: u64 = 1 << 20;

const KEY_ENCRYPTED: &str =
    "the private key is encrypted; `openssl pkey -in FILE -out OTHER` decrypts it";

/// Accepts TLS connections.
#[derive(Clone)]
pub(crate) struct Tls(pub(super) TlsAcceptor);

/// Why the certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The two do not belong together, or are of an unknown kind.
    #[error("the certificate and key cannot be used: {0}")]
    Unusable(String),
}

impl Tls {
    /// Reads a certificate chain and its private key, both in PEM format.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read(certificate)?;
        let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain
            .ok_or_else(|| unreadable(certificate, "it holds no certificate in PEM format"))?;
        let key_bytes = read(key)?;
        let key = PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|_| {
            let is_encrypted = memchr::memmem::find(&key_bytes, b"ENCRYPTED").is_some();
            unreadable(
                key,
                if is_encrypted { KEY_ENCRYPTED } else { "it holds no private key in PEM format" },
            )
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| TlsError::Unusable(error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error.to_string()))?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(unreadable(path, "it is no file of at most 1 MiB"));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, reason: &str) -> TlsError {
    TlsError::Unreadable { path: path.to_owned(), reason: reason.to_owned() }
}
