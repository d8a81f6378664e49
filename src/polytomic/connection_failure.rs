//! Why a connection could not be made, as far as that decides what to do: certificates and proxies.

use super::error::Error;

/// Why TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate is not issued by anybody who is trusted.
    UnknownIssuer,
    /// The certificate is for another name.
    OtherName,
    /// The certificate is not valid at this time, or the clock is wrong.
    OtherTime,
    /// The other side does not speak TLS.
    NotTls,
    /// Anything else.
    Other,
}

/// Why a proxy did not connect to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyRefusal {
    /// It requires a user name and password.
    NoPassword,
    /// It refused, or could not connect.
    Refused,
    /// It could not be reached itself.
    Unreachable,
}

impl Error {
    /// Why TLS failed, if it did.
    #[must_use]
    pub fn tls_failure(&self) -> Option<TlsFailure> {
        use rustls::{CertificateError, InvalidMessage};
        let error = self.causes().find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
        Some(match error {
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    TlsFailure::UnknownIssuer
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => TlsFailure::OtherName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => TlsFailure::OtherTime,
                // A self-signed certificate that is not made for signing.
                CertificateError::Other(_) | CertificateError::InvalidPurpose => {
                    TlsFailure::UnknownIssuer
                }
                _ => TlsFailure::Other,
            },
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsFailure::NotTls,
            _ => TlsFailure::Other,
        })
    }

    /// Whether a call is in vain until a setting is changed.
    pub(super) fn needs_a_setting(&self) -> bool {
        self.is_tls() || self.proxy_refusal() == Some(ProxyRefusal::NoPassword)
    }

    /// Whether another attempt within the call is in vain: what is not trusted or allowed now will not be in a second.
    pub(super) fn is_decided(&self) -> bool {
        self.is_tls()
            || matches!(
                self.proxy_refusal(),
                Some(ProxyRefusal::NoPassword | ProxyRefusal::Refused)
            )
    }

    /// Why a proxy did not connect to the service, if that is the reason.
    #[must_use]
    pub fn proxy_refusal(&self) -> Option<ProxyRefusal> {
        // hyper-util 0.1 does not export the type of this error.
        let text =
            self.causes().map(ToString::to_string).find(|text| text.contains("tunnel error"))?;
        Some(if text.contains("authorization required") {
            ProxyRefusal::NoPassword
        } else if text.contains("underlying connection") {
            ProxyRefusal::Unreachable
        } else {
            ProxyRefusal::Refused
        })
    }

    /// The causes of a failed connection, from the outermost on.
    fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let outermost: Option<&(dyn std::error::Error + 'static)> = match self {
            Self::Connection { source, .. } => Some(source.as_ref()),
            _ => None,
        };
        std::iter::successors(outermost, |error| match error.downcast_ref::<std::io::Error>() {
            // `source` of an io::Error skips the error it wraps.
            Some(outer) => outer.get_ref().map(|inner| inner as _),
            None => error.source(),
        })
    }
}
