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

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        use rustls::{CertificateError, InvalidMessage};
        match error {
            rustls::Error::InvalidCertificate(error) => match error {
                // A bad signature is that of an authority with the name of a trusted one.
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::InvalidPurpose => Self::UnknownIssuer,
                CertificateError::Other(other) if is_self_signed(other) => Self::UnknownIssuer,
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::OtherTime,
                _ => Self::Other,
            },
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            _ => Self::Other,
        }
    }
}

/// Whether a service shows the certificate of an authority itself, as one that is self-signed is by default. `Other` is
/// anything else as well, such as a certificate of an old version.
fn is_self_signed(error: &rustls::OtherError) -> bool {
    // The crate of this error is none of ours.
    format!("{:?}", error.0) == "CaUsedAsEndEntity"
}

impl Error {
    /// Why TLS failed, if it did.
    #[must_use]
    pub fn tls_failure(&self) -> Option<TlsFailure> {
        self.causes().find_map(|cause| cause.downcast_ref()).map(TlsFailure::of)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    use super::*;

    /// Named as webpki names its errors.
    #[derive(Debug, thiserror::Error)]
    #[error("an error of the verifier")]
    enum VerifierError {
        CaUsedAsEndEntity,
        UnsupportedCertVersion,
    }

    #[test]
    fn only_a_certificate_without_a_trusted_issuer_counts_as_one_without() {
        let other = |error| CertificateError::Other(OtherError(Arc::new(error)));
        for (error, expected) in [
            (CertificateError::UnknownIssuer, TlsFailure::UnknownIssuer),
            (other(VerifierError::CaUsedAsEndEntity), TlsFailure::UnknownIssuer),
            (other(VerifierError::UnsupportedCertVersion), TlsFailure::Other),
            (CertificateError::BadSignature, TlsFailure::UnknownIssuer),
            (CertificateError::Expired, TlsFailure::OtherTime),
            (CertificateError::NotValidForName, TlsFailure::OtherName),
        ] {
            let error = rustls::Error::InvalidCertificate(error);
            assert_eq!(TlsFailure::of(&error), expected, "{error:?}");
        }
    }
}
