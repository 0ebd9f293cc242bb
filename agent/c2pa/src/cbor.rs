//! CBOR (RFC 8949), as much of it as a manifest needs, in the deterministic encoding of section 4.2.1.

/// One data item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    /// Written in the order of the encoded keys, whatever the order here.
    Map(Vec<(Value, Value)>),
    Tag(u64, Box<Value>),
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

/// A map whose keys are texts.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A point in time, RFC 3339 (tag 0).
pub(crate) fn time(rfc3339: &str) -> Value {
    Value::Tag(0, Box::new(rfc3339.into()))
}

/// The item's bytes.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    append(value, &mut out);
    out
}

fn append(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Integer(number) if *number >= 0 => head(0, number.unsigned_abs(), out),
        // -1 - n is written as n.
        Value::Integer(number) => head(1, number.unsigned_abs() - 1, out),
        Value::Bytes(bytes) => {
            head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            items.iter().for_each(|item| append(item, out));
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (encode(key), value)).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            head(5, entries.len() as u64, out);
            for (key, value) in entries {
                out.extend_from_slice(&key);
                append(value, out);
            }
        }
        Value::Tag(number, item) => {
            head(6, *number, out);
            append(item, out);
        }
        Value::Null => out.push(0xf6),
    }
}

/// Major type and argument, in the fewest bytes.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let [.., b4, b5, b6, b7] = bytes;
    match argument {
        0..=23 => out.push(major | b7),
        24..=0xff => out.extend([major | 24, b7]),
        0x100..=0xffff => out.extend([major | 25, b6, b7]),
        0x1_0000..=0xffff_ffff => out.extend([major | 26, b4, b5, b6, b7]),
        _ => {
            out.push(major | 27);
            out.extend(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(value: &Value) -> String {
        kerbside_crypto::hash::hex(&encode(value))
    }

    /// From RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_rfc() {
        for (number, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-100, "3863"),
            (-1000, "3903e7"),
            (i64::MIN, "3b7fffffffffffffff"),
        ] {
            assert_eq!(hex(&number.into()), expected, "{number}");
        }
        assert_eq!(hex(&Value::Bytes(vec![1, 2, 3, 4])), "4401020304");
        assert_eq!(hex(&"水".into()), "63e6b0b4");
        assert_eq!(hex(&time("2013-03-21T20:04:00Z")), "c074323031332d30332d32315432303a30343a30305a");
        assert_eq!(
            hex(&Value::Array(vec![1.into(), Value::Array(vec![2.into(), Value::Null])])),
            "82018202f6"
        );
    }

    #[test]
    fn keys_of_a_map_are_in_order() {
        let value = map([("bb", 1.into()), ("a", 2.into()), ("b", 3.into())]);
        assert_eq!(hex(&value), "a361610261620362626201".to_owned());
        let value = Value::Map(vec![(33.into(), Value::Null), (1.into(), (-8).into())]);
        assert_eq!(hex(&value), "a201271821f6");
    }
}
