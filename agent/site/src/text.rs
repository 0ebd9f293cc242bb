//! Text files as people make them: UTF-8 with or without a byte order mark. What is encoded otherwise is named, with the cure.

/// A text file that is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It begins with a byte order mark of UTF-16, or every other byte is zero.
    #[error("it is encoded in UTF-16; save it as UTF-8 (另存为 UTF-8 编码)")]
    Utf16,
    /// Bytes as GBK and GB 18030 have them.
    #[error("line {line}: not UTF-8 but probably GBK; save it as UTF-8 (另存为 UTF-8 编码)")]
    Gbk {
        /// Counted from 1: the first that is not UTF-8.
        line: usize,
    },
    /// Anything else.
    #[error("line {line}: byte 0x{byte:02x} is not UTF-8; save it as UTF-8 (另存为 UTF-8 编码)")]
    Other {
        /// Counted from 1: the first that is not UTF-8.
        line: usize,
        /// The first byte that is not UTF-8.
        byte: u8,
    },
}

/// The text of a file, without the byte order mark that Windows programs put before it.
pub fn decode(bytes: Vec<u8>) -> Result<String, TextError> {
    let mut bytes = bytes;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || is_utf16_without_mark(&bytes) {
        return Err(TextError::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
        match is_gbk(bytes) {
            true => TextError::Gbk { line },
            false => TextError::Other { line, byte: bytes[at] },
        }
    })
}

/// Western text in UTF-16: every other byte of the beginning is zero, and no text of UTF-8 holds zeros.
fn is_utf16_without_mark(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(64) / 2 * 2];
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|&&byte| byte == 0).count();
    head.len() >= 4 && zeros(0).max(zeros(1)) > head.len() / 4
}

/// Every byte above ASCII begins a pair, or a group of four (GB 18030).
fn is_gbk(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [0..=0x7F, rest @ ..] => rest,
            [0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE, rest @ ..] => rest,
            [0x81..=0xFE, 0x30..=0x39, 0x81..=0xFE, 0x30..=0x39, rest @ ..] => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_skipped_and_other_encodings_are_named() {
        let utf16: Vec<u8> = "name = 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "name = 1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
        let table: [(Vec<u8>, Result<&str, &str>); 9] = [
            (b"a\nb".to_vec(), Ok("a\nb")),
            (marked(b"\xEF\xBB\xBF", b"a"), Ok("a")),
            // Only the first is a mark.
            (marked(b"\xEF\xBB\xBF", "\u{FEFF}a".as_bytes()), Ok("\u{FEFF}a")),
            (Vec::new(), Ok("")),
            (
                marked(b"\xFF\xFE", &utf16),
                Err("it is encoded in UTF-16; save it as UTF-8 (另存为 UTF-8 编码)"),
            ),
            (utf16, Err("it is encoded in UTF-16; save it as UTF-8 (另存为 UTF-8 编码)")),
            (big, Err("it is encoded in UTF-16; save it as UTF-8 (另存为 UTF-8 编码)")),
            // 占道 in GBK.
            (
                b"kind\nname = \"\xD5\xBC\xB5\xC0\"\n".to_vec(),
                Err("line 2: not UTF-8 but probably GBK; save it as UTF-8 (另存为 UTF-8 编码)"),
            ),
            (
                b"caf\xE9".to_vec(),
                Err("line 1: byte 0xe9 is not UTF-8; save it as UTF-8 (另存为 UTF-8 编码)"),
            ),
        ];
        for (bytes, want) in table {
            let got = decode(bytes.clone()).map_err(|error| error.to_string());
            assert_eq!(got.as_deref(), want.map_err(str::to_owned).as_deref(), "{bytes:?}");
        }
    }
}
