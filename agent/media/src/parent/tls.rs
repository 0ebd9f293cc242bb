//! Whether a camera's certificate convinces: an authority of the system or of a file, one very certificate, or nobody by name.

use std::path::Path;
use std::sync::Arc;

use kerbside_crypto::hash;
use kerbside_domain::camera_state::Off;
use kerbside_site::config::TlsTrust;
use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::connect::ReachFault;

/// A TLS client that judges as `trust` says, and remembers the certificate it saw.
#[derive(Clone, Debug)]
pub(super) struct TlsClient {
    pub(super) config: Arc<ClientConfig>,
    judge: Arc<Judge>,
}

impl TlsClient {
    pub(super) fn new(trust: &TlsTrust) -> Result<Self, ReachFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let failed = |why: &dyn std::fmt::Display| ReachFault::new(Off::Certificate, why.to_string());
        let authority = match trust {
            TlsTrust::System => Some(system_roots()),
            TlsTrust::CaFile(path) => Some(roots_of(path)?),
            TlsTrust::Fingerprint(_) | TlsTrust::Nobody => None,
        };
        let authority = authority
            .map(|roots| {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()
            })
            .transpose()
            .map_err(|e| failed(&format!("no authority to trust: {e}")))?;
        let fingerprint = match trust {
            TlsTrust::Fingerprint(hex) => Some(hex.clone()),
            _ => None,
        };
        let judge =
            Arc::new(Judge { authority, fingerprint, seen: Mutex::default(), provider: provider.clone() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .dangerous()
            .with_custom_certificate_verifier(judge.clone())
            .with_no_client_auth();
        Ok(TlsClient { config: Arc::new(config), judge })
    }

    /// SHA-256 of the certificate that the last camera showed.
    pub(super) fn fingerprint_seen(&self) -> Option<String> {
        self.judge.seen.lock().clone()
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // A certificate that cannot be read is one authority less.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(path: &Path) -> Result<RootCertStore, ReachFault> {
    let failed = |why: &dyn std::fmt::Display| {
        ReachFault::new(Off::Certificate, format!("tls_ca_file {}: {why}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(&e))? {
        roots.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
    }
    Ok(roots)
}

#[derive(Debug)]
struct Judge {
    authority: Option<Arc<WebPkiServerVerifier>>,
    fingerprint: Option<String>,
    seen: Mutex<Option<String>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = hash::hex(&hash::of(certificate));
        let pinned = self.fingerprint.as_ref().map(|wanted| *wanted == seen);
        *self.seen.lock() = Some(seen);
        match (&self.authority, pinned) {
            (Some(authority), _) => authority.verify_server_cert(certificate, chain, name, ocsp, now),
            (None, Some(false)) => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            (None, Some(true) | None) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
