//! The manifest: assertions about a file, a claim that lists them with their hashes, a signature over the claim.

use kerbside_crypto::hash::{self, Sha256};

use crate::cbor::{Value, encode, map, time};
use crate::cose;
use crate::error::SignError;
use crate::jumbf::{HEADER, Kind, content, superbox};
use crate::signer::Signer;
use crate::statement::{Edit, Statement};

const CLAIM: &str = "c2pa.claim.v2";
const SIGNATURE: &str = "c2pa.signature";
const ASSERTIONS: &str = "c2pa.assertions";
const CREATED_BY_A_CAMERA: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture";

/// The user type of the box of an MP4 file that holds C2PA.
pub(crate) const BMFF_UUID: [u8; 16] =
    [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];

/// What ties the manifest to the rest of its file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Binding {
    /// The hash of all bytes but `length` from `start` on.
    Data { start: usize, length: usize, hash: Sha256 },
    /// The hash of all root boxes but C2PA's own, `ftyp` and `mfra`, each after its offset.
    Bmff { hash: Sha256 },
}

/// The manifest store of a file: one manifest.
pub(crate) fn store(signer: &Signer, statement: &Statement, binding: Binding) -> Result<Vec<u8>, SignError> {
    let label = label(signer, statement, binding);
    let assertions = [actions(statement)?, facts(statement)?, hard_binding(binding)?];
    let claim = encode(&claim(&label, statement, &assertions));
    let signature = cose::sign1(&signer.key, &signer.certificates, &claim);

    let assertions: Vec<&[u8]> = assertions.iter().map(|a| a.superbox.as_slice()).collect();
    let assertions = superbox(Kind::AssertionStore, ASSERTIONS, &assertions)?;
    let claim = superbox(Kind::Claim, CLAIM, &[&content(b"cbor", &claim)?])?;
    let signature = superbox(Kind::Signature, SIGNATURE, &[&content(b"cbor", &signature)?])?;
    let manifest = superbox(Kind::Manifest, &label, &[&assertions, &claim, &signature])?;
    superbox(Kind::Store, "c2pa", &[&manifest])
}

/// An assertion and where it stands.
struct Assertion {
    label: &'static str,
    superbox: Vec<u8>,
}

impl Assertion {
    fn cbor(label: &'static str, value: &Value) -> Result<Self, SignError> {
        let superbox = superbox(Kind::CborAssertion, label, &[&content(b"cbor", &encode(value))?])?;
        Ok(Assertion { label, superbox })
    }

    /// The hash covers the superbox without its header.
    fn hashed_uri(&self) -> Value {
        let hash = hash::of(self.superbox.get(HEADER..).unwrap_or_default());
        let url = format!("self#jumbf={ASSERTIONS}/{}", self.label);
        map([("url", Value::Text(url)), ("hash", Value::Bytes(hash.to_vec()))])
    }
}

/// Made of what the manifest is about, so that the same file, statement and key give the same bytes. The layout is that of a
/// random UUID, because readers expect one.
fn label(signer: &Signer, statement: &Statement, binding: Binding) -> String {
    let (Binding::Data { hash: bound, .. } | Binding::Bmff { hash: bound }) = binding;
    let key = signer.key.public();
    format!("urn:c2pa:{}", uuid(&hash::of_parts([&key.bytes()[..], statement.id.as_bytes(), &bound])))
}

fn uuid(hash: &Sha256) -> String {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *hash;
    let number =
        u128::from_be_bytes([a, b, c, d, e, f, g & 0x0f | 0x40, h, i & 0x3f | 0x80, j, k, l, m, n, o, p]);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn claim(label: &str, statement: &Statement, assertions: &[Assertion]) -> Value {
    let instance = label.strip_prefix("urn:c2pa:").unwrap_or(label);
    let generator = map([("name", "Kerbside".into()), ("version", env!("CARGO_PKG_VERSION").into())]);
    let created = assertions.iter().map(Assertion::hashed_uri).collect();
    map([
        ("instanceID", Value::Text(format!("xmp:iid:{instance}"))),
        ("claim_generator_info", generator),
        ("signature", Value::Text(format!("self#jumbf=/c2pa/{label}/{SIGNATURE}"))),
        ("created_assertions", Value::Array(created)),
        ("dc:title", statement.title.as_str().into()),
        ("alg", "sha256".into()),
    ])
}

/// Where the file comes from and what was done to it.
fn actions(statement: &Statement) -> Result<Assertion, SignError> {
    let mut created = vec![
        ("action".into(), "c2pa.created".into()),
        ("digitalSourceType".into(), CREATED_BY_A_CAMERA.into()),
    ];
    if let Some(at) = &statement.captured_at {
        created.push(("when".into(), time(at)));
    }
    let mut actions = vec![Value::Map(created)];
    let edit = statement.edit.map(|edit| match edit {
        Edit::DrawnIn => ("c2pa.edited", "outlines and text were drawn in"),
        Edit::Encoded => ("c2pa.transcoded", "the camera's codec is not played everywhere"),
    });
    if let Some((action, why)) = edit {
        actions.push(map([("action", action.into()), ("description", why.into())]));
    }
    Assertion::cbor("c2pa.actions.v2", &map([("actions", Value::Array(actions))]))
}

/// What we say of it ourselves.
fn facts(statement: &Statement) -> Result<Assertion, SignError> {
    const LABEL: &str = "kerbside.evidence";
    let json = content(b"json", statement.facts.to_string().as_bytes())?;
    Ok(Assertion { label: LABEL, superbox: superbox(Kind::JsonAssertion, LABEL, &[&json])? })
}

fn hard_binding(binding: Binding) -> Result<Assertion, SignError> {
    match binding {
        Binding::Data { start, length, hash } => {
            let number = |n: usize| i64::try_from(n).map_err(|_| SignError::TooLong("an offset"));
            let hole = map([("start", number(start)?.into()), ("length", number(length)?.into())]);
            let value = map([
                ("exclusions", Value::Array(vec![hole])),
                ("name", "jumbf manifest".into()),
                ("alg", "sha256".into()),
                ("hash", Value::Bytes(hash.to_vec())),
                ("pad", Value::Bytes(Vec::new())),
            ]);
            Assertion::cbor("c2pa.hash.data", &value)
        }
        Binding::Bmff { hash } => {
            let own = map([("offset", 8.into()), ("value", Value::Bytes(BMFF_UUID.to_vec()))]);
            let exclusion = |xpath: &str, data: Value| {
                map([
                    ("xpath", xpath.into()),
                    ("length", Value::Null),
                    ("data", data),
                    ("subset", Value::Null),
                    ("version", Value::Null),
                    ("flags", Value::Null),
                    ("exact", Value::Null),
                ])
            };
            let exclusions = vec![
                exclusion("/uuid", Value::Array(vec![own])),
                exclusion("/ftyp", Value::Null),
                exclusion("/mfra", Value::Null),
            ];
            let value = map([
                ("exclusions", Value::Array(exclusions)),
                ("name", "jumbf manifest".into()),
                ("alg", "sha256".into()),
                ("hash", Value::Bytes(hash.to_vec())),
            ]);
            Assertion::cbor("c2pa.hash.bmff.v3", &value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_layout_of_a_random_uuid() {
        assert_eq!(uuid(&[0xff; 32]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(&[0; 32]), "00000000-0000-4000-8000-000000000000");
    }
}
