//! From bytes to lines of bounded length. Pure.

/// Cuts a stream of bytes into lines. A line that is longer than the limit is dropped whole and counted.
#[derive(Debug)]
pub struct LineBuffer {
    line: Vec<u8>,
    limit: usize,
    skipping: bool,
    overlong: u64,
}

impl LineBuffer {
    pub fn new(limit: usize) -> Self {
        LineBuffer { line: Vec::new(), limit, skipping: false, overlong: 0 }
    }

    /// Takes bytes; `each` gets every complete line without its end.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                if !self.line.is_empty() && !self.skipping {
                    each(&self.line);
                }
                self.line.clear();
                self.skipping = false;
            } else if self.line.len() >= self.limit {
                self.overlong += u64::from(!self.skipping);
                self.skipping = true;
            } else {
                self.line.push(byte);
            }
        }
    }

    /// Lines dropped for their length.
    pub fn overlong(&self) -> u64 {
        self.overlong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let mut buffer = LineBuffer::new(8);
        let mut lines = Vec::new();
        for part in [&b"abc\r\nde"[..], b"f\n", b"0123456789", b"abc\n\n", b"ok\n"] {
            buffer.push(part, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(lines, ["abc", "def", "ok"]);
        assert_eq!((buffer.overlong(), buffer.line.capacity() <= 64), (1, true));
    }
}
