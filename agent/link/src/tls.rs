//! TLS of the link: rustls with the ring provider, a private CA, a client certificate. No fallback to plain text.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

use crate::certificates;
use crate::error::LinkError;
use kerbside_domain::time::{Clock as _, SystemClock};
use kerbside_site::config::Tls;

fn failed(what: &'static str, path: &Path, reason: impl std::fmt::Display) -> LinkError {
    LinkError::Tls { what, path: path.to_owned(), reason: reason.to_string() }
}

fn chain(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, LinkError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all = all.map_err(|e| failed(what, path, reason(e)))?;
    if all.is_empty() {
        return Err(failed(what, path, "no certificate in it"));
    }
    Ok(all)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, LinkError> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| match e {
        pem::Error::NoItemsFound => failed("key", path, "no private key in it"),
        e => failed("key", path, reason(e)),
    })
}

/// Whether the file holds a private key; the error says why it cannot be read.
pub fn holds_private_key(path: &Path) -> Result<bool, String> {
    match PrivateKeyDer::from_pem_file(path) {
        Ok(_) => Ok(true),
        Err(pem::Error::NoItemsFound) => Ok(false),
        Err(e) => Err(reason(e)),
    }
}

/// What the file system said, in its own words.
fn reason(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The box's clock, but never before what the box holds was made: one that stands at 1970 after a power cut must not keep the
/// link down. What has expired by then is refused all the same.
#[derive(Debug)]
struct NoEarlierThan(Duration);

impl TimeProvider for NoEarlierThan {
    fn current_time(&self) -> Option<UnixTime> {
        let now_ms = SystemClock::new().now().wall_ms.unsigned_abs();
        Some(UnixTime::since_unix_epoch(self.0.max(Duration::from_millis(now_ms))))
    }
}

/// The client's side of TLS 1.2 and 1.3: only the given CA is trusted, the server's name is checked.
pub fn client_config(tls: &Tls) -> Result<ClientConfig, LinkError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain("CA file", &tls.ca_file)? {
        roots.add(certificate).map_err(|e| failed("CA file", &tls.ca_file, e))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let floor = Duration::from_secs(certificates::no_earlier_than_s(tls).unsigned_abs());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(NoEarlierThan(floor)))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed("versions for", &tls.ca_file, e))?
        .with_root_certificates(roots);
    match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key_file)) => builder
            .with_client_auth_cert(chain("certificate", cert)?, key(key_file)?)
            .map_err(|e| failed("certificate", cert, e)),
        (Some(cert), None) => Err(failed("certificate", cert, "its key_file is missing")),
        (None, _) => Ok(builder.with_no_client_auth()),
    }
}
