//! The certificate that a box without a chain makes for itself.
//!
//! Nobody vouches for it: a verifier finds the signature valid and the signer unknown. The same key gives the same bytes, and it
//! counts for ever, whatever the clock of the box says.

use std::time::Duration;

use kerbside_crypto::hash;
use kerbside_crypto::sign::SigningKey;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{BitString, GeneralizedTime, UtcTime};
use x509_cert::der::{DateTime, Encode as _, Error};
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::chain::ChainError;
use super::parts::{algorithm, extension, key_identifier, key_info, name, usage};

/// 2020-01-01T00:00:00Z, before any box of ours, s since the Unix epoch.
const BEGINS: Duration = Duration::from_secs(1_577_836_800);

/// DER: the one certificate.
pub(crate) fn own_certificate(key: &SigningKey, box_name: &str) -> Result<Vec<Vec<u8>>, ChainError> {
    let public = key.public();
    let identifier = key_identifier(&public)?;
    let mut extensions = usage(&public)?;
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(identifier),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extensions.push(extension(&authority, false)?);
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: serial(key)?,
        signature: algorithm(),
        issuer: name(Some(AUTHORITY), box_name)?,
        validity: for_ever()?,
        subject: name(Some(OWNER), box_name)?,
        subject_public_key_info: key_info(&public)?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    };
    let signature = BitString::from_bytes(&key.sign_bytes(&tbs_certificate.to_der()?))?;
    Ok(vec![Certificate { tbs_certificate, signature_algorithm: algorithm(), signature }.to_der()?])
}

/// Issuer and subject differ, for verifiers refuse a certificate that names itself as its issuer instead of calling it unknown.
const AUTHORITY: &str = "Kerbside box, vouched for by nobody";
const OWNER: &str = "Kerbside box";

/// Of the key, positive, at most 16 bytes.
fn serial(key: &SigningKey) -> Result<SerialNumber, Error> {
    let mut bytes = hash::of(key.public().bytes());
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::new(bytes.get(..16).unwrap_or_default())
}

/// RFC 5280, 4.1.2.5: the end that means none.
fn for_ever() -> Result<Validity, Error> {
    let end = GeneralizedTime::from_date_time(DateTime::new(9999, 12, 31, 23, 59, 59)?);
    Ok(Validity {
        not_before: Time::UtcTime(UtcTime::from_unix_duration(BEGINS)?),
        not_after: Time::GeneralTime(end),
    })
}
