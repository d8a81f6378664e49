//! Services with TLS and certificates of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority, and a service with a certificate of it.
pub struct Company {
    pub port: u16,
    pub ca_file: String,
    _directory: tempfile::TempDir,
}

impl Company {
    /// A service with these names and a certificate that is valid between two days, counted from now.
    pub async fn start(names: &[&str], days: std::ops::Range<i64>) -> Self {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut certificate = CertificateParams::new(names).unwrap();
        certificate.not_before = days_from_now(days.start).into();
        certificate.not_after = days_from_now(days.end).into();
        let certificate = certificate.signed_by(&key, &ca).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem()).unwrap();
        let port = serve(certificate.der().clone(), &key).await;
        Self { port, ca_file: ca_file.to_str().unwrap().to_owned(), _directory: directory }
    }
}

/// Writes `certificate.pem` and `key.pem` for a name and `ca.pem`, the authority, whose path it returns.
pub(super) fn certify(directory: &Path, name: &str) -> String {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &ca).unwrap();
    std::fs::write(directory.join("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    let ca_file = directory.join("ca.pem");
    std::fs::write(&ca_file, ca.pem()).unwrap();
    ca_file.to_str().unwrap().to_owned()
}

fn days_from_now(days: i64) -> SystemTime {
    let distance = Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
    if days < 0 { SystemTime::now() - distance } else { SystemTime::now() + distance }
}

/// A service at `localhost` whose certificate is its own authority, in a file of the directory: URL and file.
pub async fn self_signed(directory: &Path) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = directory.join("certificate.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let port = serve(made.cert.der().clone(), &made.signing_key).await;
    (format!("https://localhost:{port}"), file.to_str().unwrap().to_owned())
}

/// Responds to every request with an empty list; returns the port.
async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> u16 {
    // Fails if another test has installed it, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let Ok(mut peer) = acceptor.accept(peer).await else { continue };
            let _ = peer.read(&mut vec![0; 65536]).await;
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";
            let _ = peer.write_all(response).await;
        }
    });
    port
}
