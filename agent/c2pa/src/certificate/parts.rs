//! The parts that requests and certificates have in common.

use kerbside_crypto::hash;
use kerbside_crypto::sign::PublicKey;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, BitString, OctetString, SetOfVec, Utf8StringRef};
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::{Encode, Error};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// RFC 8410.
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// What the certificate may be used for, as C2PA demands it: c2pa-kp-claimSigning, and id-kp-documentSigning of RFC 9336, by
/// which older verifiers go.
pub(super) const PURPOSES: [(ObjectIdentifier, &str); 2] = [
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.62558.2.1"), "claimSigning"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36"), "documentSigning"),
];

pub(super) fn algorithm() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: ED25519, parameters: None }
}

/// A public key as certificates hold it.
pub(super) fn key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, Error> {
    let subject_public_key = BitString::from_bytes(key.bytes())?;
    Ok(SubjectPublicKeyInfoOwned { algorithm: algorithm(), subject_public_key })
}

/// `sha256:` and 64 hex digits, over the same public key in DER.
pub fn public_key_fingerprint(key: &PublicKey) -> Result<String, super::ChainError> {
    Ok(hash::Hash::of(&key_info(key)?.to_der()?).to_string())
}

/// Organisation, where there is one, and common name.
pub(super) fn name(organisation: Option<&str>, common_name: &str) -> Result<Name, Error> {
    let part = |oid: ObjectIdentifier, text: &str| {
        let value = Any::from(Utf8StringRef::new(text)?);
        let set = SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }])?;
        Ok::<_, Error>(RelativeDistinguishedName(set))
    };
    let organisation = organisation.map(|text| part(ORGANISATION, text)).transpose()?;
    let parts = organisation.into_iter().chain([part(COMMON_NAME, common_name)?]);
    Ok(RdnSequence(parts.collect()))
}

pub(super) fn extension<E: AssociatedOid + Encode>(content: &E, critical: bool) -> Result<Extension, Error> {
    let extn_value = OctetString::new(content.to_der()?)?;
    Ok(Extension { extn_id: E::OID, critical, extn_value })
}

/// What a certificate that signs claims must say of its key.
pub(super) fn usage(key: &PublicKey) -> Result<Vec<Extension>, Error> {
    Ok(vec![
        extension(&KeyUsage(KeyUsages::DigitalSignature.into()), true)?,
        extension(&ExtendedKeyUsage(PURPOSES.iter().map(|(oid, _)| *oid).collect()), false)?,
        extension(&SubjectKeyIdentifier(key_identifier(key)?), false)?,
    ])
}

/// The first 20 bytes of the key's SHA-256 (RFC 7093, method 1).
pub(super) fn key_identifier(key: &PublicKey) -> Result<OctetString, Error> {
    let hash = hash::of(key.bytes());
    OctetString::new(hash.get(..20).unwrap_or_default())
}
