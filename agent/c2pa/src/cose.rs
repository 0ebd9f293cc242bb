//! COSE_Sign1 (RFC 9052) with Ed25519, the signed bytes left out, the certificates in the protected header (RFC 9360).

use kerbside_crypto::sign::SigningKey;

use crate::cbor::{Value, encode};

/// Header parameter: the algorithm.
const ALG: i64 = 1;
/// EdDSA.
const EDDSA: i64 = -8;
/// Header parameter: the certificates, the signer's first.
const X5CHAIN: i64 = 33;
/// The tag of a COSE_Sign1.
const SIGN1: u64 = 18;

/// Signs `payload` in the name of the first certificate.
pub(crate) fn sign1(key: &SigningKey, certificates: &[Vec<u8>], payload: &[u8]) -> Vec<u8> {
    let chain = match certificates {
        [one] => Value::Bytes(one.clone()),
        more => Value::Array(more.iter().cloned().map(Value::Bytes).collect()),
    };
    let protected = encode(&Value::Map(vec![(ALG.into(), EDDSA.into()), (X5CHAIN.into(), chain)]));
    let signed = encode(&Value::Array(vec![
        "Signature1".into(),
        Value::Bytes(protected.clone()),
        Value::Bytes(Vec::new()),
        Value::Bytes(payload.to_vec()),
    ]));
    let signature = Value::Bytes(key.sign_bytes(&signed));
    let parts = vec![Value::Bytes(protected), Value::Map(Vec::new()), Value::Null, signature];
    encode(&Value::Tag(SIGN1, Box::new(Value::Array(parts))))
}
