//! Messages of supplemental enhancement information (SEI) before a picture: H.264 7.3.2.3.1, H.265 7.3.2.4. Pure.

use super::Family;
use super::bits::without_emulation_prevention;

/// The payload of the first message of this type in a unit, if it is such a unit and has one.
pub(super) fn payload(family: Family, unit: &[u8], wanted: u32) -> Option<Vec<u8>> {
    let body = match (family, family.kind(unit)?) {
        (Family::H264, 6) => unit.get(1..)?,
        (Family::Hevc, 39) => unit.get(2..)?,
        _ => return None,
    };
    let body = without_emulation_prevention(body);
    let mut rest = body.as_slice();
    // Messages follow one another until the stop bit.
    while rest.len() > 2 {
        let kind = number(&mut rest)?;
        let len = number(&mut rest)? as usize;
        let (payload, after) = rest.split_at_checked(len)?;
        if kind == wanted {
            return Some(payload.to_vec());
        }
        rest = after;
    }
    None
}

/// A type or a length: bytes of 255 add up.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value = value.checked_add(u32::from(*byte))?;
        if *byte != 255 {
            return Some(value);
        }
    }
}
