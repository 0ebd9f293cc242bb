//! JUMBF (ISO 19566-5): boxes with a label, boxes in boxes.

use crate::error::SignError;

/// What a superbox holds: its type in the description box.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Store,
    Manifest,
    AssertionStore,
    Claim,
    Signature,
    CborAssertion,
    JsonAssertion,
}

impl Kind {
    /// Four letters, then what is the same in all.
    fn uuid(self) -> [u8; 16] {
        let letters = match self {
            Kind::Store => b"c2pa",
            Kind::Manifest => b"c2ma",
            Kind::AssertionStore => b"c2as",
            Kind::Claim => b"c2cl",
            Kind::Signature => b"c2cs",
            Kind::CborAssertion => b"cbor",
            Kind::JsonAssertion => b"json",
        };
        let [a, b, c, d] = *letters;
        [a, b, c, d, 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71]
    }
}

/// Requestable, with a label.
const TOGGLES: u8 = 0b11;

/// Length and type before the content of a box.
pub(crate) const HEADER: usize = 8;

/// A box whose content is no box.
pub(crate) fn content(name: &[u8; 4], bytes: &[u8]) -> Result<Vec<u8>, SignError> {
    boxed(name, &[bytes])
}

/// A superbox: its description, then the boxes in it.
pub(crate) fn superbox(kind: Kind, label: &str, inner: &[&[u8]]) -> Result<Vec<u8>, SignError> {
    let description = boxed(b"jumd", &[&kind.uuid(), &[TOGGLES], label.as_bytes(), &[0]])?;
    let parts: Vec<&[u8]> = std::iter::once(description.as_slice()).chain(inner.iter().copied()).collect();
    boxed(b"jumb", &parts)
}

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Result<Vec<u8>, SignError> {
    let length = HEADER + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend(u32::try_from(length).map_err(|_| SignError::TooLong("a JUMBF box"))?.to_be_bytes());
    out.extend(name);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superbox_begins_with_its_description() {
        let inner = content(b"json", b"{}").unwrap();
        let made = superbox(Kind::JsonAssertion, "a.b", &[&inner]).unwrap();
        let mut expected = vec![0, 0, 0, 47, b'j', b'u', b'm', b'b', 0, 0, 0, 29, b'j', b'u', b'm', b'd'];
        expected.extend(b"json\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03a.b\x00");
        expected.extend(b"\x00\x00\x00\x0ajson{}");
        assert_eq!(made, expected);
    }
}
