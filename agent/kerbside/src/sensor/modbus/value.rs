//! From registers to a value in the sensor's unit. Pure.

use kerbside_site::config::{ModbusPoint, NumberForm, RegisterData};

/// The value of a point whose registers hold these words; `None`: the device sent another number of them than asked for.
pub(super) fn of_words(point: &ModbusPoint, words: &[u16]) -> Option<f64> {
    let raw = number(point.data, words)?;
    Some(raw * point.scale + point.offset)
}

/// The value of a coil or discrete input.
pub(super) fn of_bits(point: &ModbusPoint, bits: &[bool]) -> Option<f64> {
    let bit = bits.first()?;
    Some(f64::from(u8::from(*bit)) * point.scale + point.offset)
}

fn number(data: RegisterData, words: &[u16]) -> Option<f64> {
    let word = |w: u16| if data.low_byte_first { w.swap_bytes() } else { w };
    match (data.form, words) {
        (NumberForm::U16, [w]) => Some(f64::from(word(*w))),
        (NumberForm::I16, [w]) => Some(f64::from(word(*w).cast_signed())),
        (_, [first, second]) => {
            let (high, low) = if data.low_word_first {
                (word(*second), word(*first))
            } else {
                (word(*first), word(*second))
            };
            let bits = (u32::from(high) << 16) | u32::from(low);
            match data.form {
                NumberForm::U32 => Some(f64::from(bits)),
                NumberForm::I32 => Some(f64::from(bits.cast_signed())),
                NumberForm::F32 => Some(f64::from(f32::from_bits(bits))),
                NumberForm::U16 | NumberForm::I16 => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(form: NumberForm, low_word_first: bool, low_byte_first: bool) -> RegisterData {
        RegisterData { form, low_word_first, low_byte_first }
    }

    #[test]
    fn registers_are_read_in_every_order() {
        let cases = [
            (data(NumberForm::U16, false, false), &[0x0102][..], Some(258.0)),
            (data(NumberForm::U16, false, true), &[0x0102], Some(513.0)),
            (data(NumberForm::I16, false, false), &[0xFFFE], Some(-2.0)),
            (data(NumberForm::U32, false, false), &[0x0001, 0x0000], Some(65_536.0)),
            (data(NumberForm::U32, true, false), &[0x0001, 0x0000], Some(1.0)),
            (data(NumberForm::I32, false, false), &[0xFFFF, 0xFFFF], Some(-1.0)),
            // 83.5 is 0x42A70000.
            (data(NumberForm::F32, false, false), &[0x42A7, 0x0000], Some(83.5)),
            (data(NumberForm::F32, true, false), &[0x0000, 0x42A7], Some(83.5)),
            (data(NumberForm::F32, true, true), &[0x0000, 0xA742], Some(83.5)),
            (data(NumberForm::F32, false, false), &[0x42A7], None),
            (data(NumberForm::U16, false, false), &[1, 2], None),
            (data(NumberForm::U16, false, false), &[], None),
        ];
        for (data, words, value) in cases {
            assert_eq!(number(data, words), value, "{data:?} {words:?}");
        }
    }
}
