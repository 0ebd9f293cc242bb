//! The request for a certificate (PKCS#10, RFC 2986).

use kerbside_crypto::sign::SigningKey;
use x509_cert::attr::Attribute;
use x509_cert::der::asn1::{Any, BitString, SetOfVec};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Encode as _, EncodePem as _, Error, pem::LineEnding};
use x509_cert::request::{CertReq, CertReqInfo, Version};

use super::chain::ChainError;
use super::parts::{algorithm, key_info, name, usage};

/// RFC 2985: the extensions that the certificate shall have.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// A request in PEM for a certificate of this key, in the name of the box, that may sign C2PA claims.
pub fn request(key: &SigningKey, organisation: Option<&str>, box_name: &str) -> Result<String, ChainError> {
    let public = key.public();
    let extensions = Any::encode_from(&usage(&public)?)?;
    let wanted = Attribute { oid: EXTENSION_REQUEST, values: SetOfVec::try_from(vec![extensions])? };
    let info = CertReqInfo {
        version: Version::V1,
        subject: name(organisation, box_name)?,
        public_key: key_info(&public)?,
        attributes: SetOfVec::try_from(vec![wanted])?,
    };
    Ok(signed(key, info)?.to_pem(LineEnding::LF)?)
}

fn signed(key: &SigningKey, info: CertReqInfo) -> Result<CertReq, Error> {
    let signature = BitString::from_bytes(&key.sign_bytes(&info.to_der()?))?;
    Ok(CertReq { info, algorithm: algorithm(), signature })
}
