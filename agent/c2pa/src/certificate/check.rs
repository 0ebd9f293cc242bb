//! Whether verifiers will accept a chain: C2PA's certificate profile, and each certificate signed by the next.

use std::fmt;

use kerbside_crypto::sign::PublicKey;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Encode as _;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};

use super::chain::Chain;
use super::parts::{ED25519, PURPOSES};

/// What is wrong with a chain. Signed files verify all the same, but nobody trusts the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is for another key: it cannot be used at all.
    OtherKey,
    /// A certificate, counted from 1, lacks what the profile demands.
    Profile(usize, String),
    /// A certificate, counted from 1, is not signed by the next.
    NotSignedByNext(usize, String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::OtherKey => f.write_str("certificate 1 is not for the key of this box"),
            Problem::Profile(n, what) => write!(f, "certificate {n}: {what}"),
            Problem::NotSignedByNext(n, why) => {
                write!(f, "certificate {n} is not signed by certificate {}: {why}", n + 1)
            }
        }
    }
}

impl Chain {
    /// All that is wrong with it for a box with this key, whatever the time.
    pub fn problems(&self, key: &PublicKey) -> Vec<Problem> {
        let mut found = Vec::new();
        let profile = |n: usize| move |what: &str| Problem::Profile(n, what.to_owned());
        if let Some(leaf) = self.parsed.first() {
            if !is_for(leaf, key) {
                found.push(Problem::OtherKey);
            }
            found.extend(leaf_faults(leaf).iter().map(|what| profile(1)(what)));
        }
        for (n, authority) in (2..).zip(self.parsed.iter().skip(1)) {
            found.extend(authority_faults(authority).iter().map(|what| profile(n)(what)));
        }
        for (n, pair) in (1..).zip(self.parsed.windows(2)) {
            if let [certificate, authority] = pair
                && let Err(why) = signed_by(certificate, authority)
            {
                found.push(Problem::NotSignedByNext(n, why));
            }
        }
        found
    }
}

fn is_for(leaf: &Certificate, key: &PublicKey) -> bool {
    let info = &leaf.tbs_certificate.subject_public_key_info;
    info.algorithm.oid == ED25519 && info.subject_public_key.raw_bytes() == key.bytes()
}

fn leaf_faults(leaf: &Certificate) -> Vec<String> {
    let tbs = &leaf.tbs_certificate;
    let mut faults = Vec::new();
    let mut demand = |kept: bool, what: &str| {
        if !kept {
            faults.push(what.to_owned());
        }
    };
    demand(tbs.version == Version::V3, "it is not of version 3");
    demand(tbs.issuer != tbs.subject, "it is signed by itself, not by an authority");
    let usage = tbs.get::<KeyUsage>().ok().flatten();
    let digital = usage.as_ref().is_some_and(|(_, usage)| usage.digital_signature());
    demand(digital, "the key usage digitalSignature is missing");
    demand(usage.as_ref().is_some_and(|(critical, _)| *critical), "the key usage is not critical");
    let signs = usage.as_ref().is_some_and(|(_, usage)| usage.key_cert_sign());
    let is_ca = tbs.get::<BasicConstraints>().ok().flatten().is_some_and(|(_, b)| b.ca);
    demand(!signs && !is_ca, "it is that of an authority");
    let purposes = tbs.get::<ExtendedKeyUsage>().ok().flatten().map(|(_, p)| p.0).unwrap_or_default();
    for (oid, name) in PURPOSES {
        demand(purposes.contains(&oid), &format!("the extended key usage {name} ({oid}) is missing"));
    }
    let any = x509_cert::der::oid::db::rfc5912::ANY_EXTENDED_KEY_USAGE;
    demand(!purposes.contains(&any), "the extended key usage anyExtendedKeyUsage is not allowed");
    let own = tbs.get::<SubjectKeyIdentifier>().ok().flatten();
    demand(own.is_some(), "the subject key identifier is missing");
    let authority = tbs.get::<AuthorityKeyIdentifier>().ok().flatten();
    let named = authority.is_some_and(|(_, a)| a.key_identifier.is_some());
    demand(named, "the authority key identifier is missing");
    faults
}

fn authority_faults(authority: &Certificate) -> Vec<String> {
    let tbs = &authority.tbs_certificate;
    let mut faults = Vec::new();
    if !tbs.get::<BasicConstraints>().ok().flatten().is_some_and(|(_, b)| b.ca) {
        faults.push("it is not that of an authority".to_owned());
    }
    let usage = tbs.get::<KeyUsage>().ok().flatten();
    if !usage.is_some_and(|(_, usage)| usage.key_cert_sign()) {
        faults.push("the key usage keyCertSign is missing".to_owned());
    }
    faults
}

/// The certificate names the other as its issuer and bears its signature.
fn signed_by(certificate: &Certificate, authority: &Certificate) -> Result<(), String> {
    let (tbs, above) = (&certificate.tbs_certificate, &authority.tbs_certificate);
    if tbs.issuer != above.subject {
        return Err(format!("it was issued by \"{}\", the next is \"{}\"", tbs.issuer, above.subject));
    }
    let named = tbs.get::<AuthorityKeyIdentifier>().ok().flatten().and_then(|(_, a)| a.key_identifier);
    let own = above.get::<SubjectKeyIdentifier>().ok().flatten().map(|(_, s)| s.0);
    if named.zip(own).is_some_and(|(named, own)| named != own) {
        return Err("it names another key of its authority".to_owned());
    }
    let oid = certificate.signature_algorithm.oid.to_string();
    let algorithm = algorithm(&oid).ok_or_else(|| format!("signatures of kind {oid} are not known"))?;
    let key = above.subject_public_key_info.subject_public_key.raw_bytes();
    let signed = tbs.to_der().map_err(|e| e.to_string())?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(&signed, certificate.signature.raw_bytes())
        .map_err(|_| "the signature is wrong".to_owned())
}

/// Those that C2PA allows and ring knows.
fn algorithm(oid: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match oid {
        "1.3.101.112" => &signature::ED25519,
        "1.2.840.10045.4.3.2" => &signature::ECDSA_P256_SHA256_ASN1,
        "1.2.840.10045.4.3.3" => &signature::ECDSA_P384_SHA384_ASN1,
        "1.2.840.113549.1.1.11" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "1.2.840.113549.1.1.12" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "1.2.840.113549.1.1.13" => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}
