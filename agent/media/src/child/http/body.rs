//! The body of an answer: as it comes, of a given length, or in chunks (RFC 9112, 7.1).

use std::io::{BufRead, Error, ErrorKind, Read};
use std::net::TcpStream;

use super::head::Head;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By the end of the connection.
    Connection,
    /// So many bytes are left.
    Length(u64),
    /// So many bytes of this chunk are left; the next one says its own length. `None`: the last one came.
    Chunk(Option<u64>),
}

/// Reads the body and nothing of what is around it.
pub(super) struct Body<R = std::io::BufReader<TcpStream>> {
    from: R,
    end: End,
    begun: bool,
}

impl<R: BufRead> Body<R> {
    pub(super) fn new(from: R, head: &Head) -> Self {
        let chunked = head.header("transfer-encoding").is_some_and(|e| e.to_lowercase().contains("chunked"));
        let length = head.header("content-length").and_then(|length| length.parse().ok());
        let end = match (chunked, length) {
            (true, _) => End::Chunk(Some(0)),
            (false, Some(length)) => End::Length(length),
            (false, None) => End::Connection,
        };
        Body { from, end, begun: false }
    }

    /// The length of the next chunk, in hexadecimal digits on a line of its own.
    fn next_chunk(&mut self) -> std::io::Result<u64> {
        let mut line = String::new();
        // Behind each chunk stands an empty line.
        for _ in 0..=usize::from(self.begun) {
            line.clear();
            Read::take(&mut self.from, 64).read_line(&mut line)?;
        }
        self.begun = true;
        let digits = line.trim().split(';').next().unwrap_or_default();
        u64::from_str_radix(digits, 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, "a chunk of the answer has no length"))
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = match self.end {
            End::Connection => return self.from.read(into),
            End::Length(left) => left,
            End::Chunk(None) => return Ok(0),
            End::Chunk(Some(0)) => {
                let length = self.next_chunk()?;
                self.end = End::Chunk((length > 0).then_some(length));
                if length == 0 {
                    return Ok(0);
                }
                length
            }
            End::Chunk(Some(left)) => left,
        };
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.from.read(&mut into[..most])?;
        let left = left - n as u64;
        self.end =
            if matches!(self.end, End::Length(_)) { End::Length(left) } else { End::Chunk(Some(left)) };
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(headers: &str, bytes: &str) -> std::io::Result<String> {
        let head = Head::read(&mut format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes())?;
        let mut text = String::new();
        Body::new(bytes.as_bytes(), &head).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn every_kind_of_body_is_read_to_its_end() {
        assert_eq!(body("", "abc").unwrap(), "abc");
        assert_eq!(body("Content-Length: 2\r\n", "abc").unwrap(), "ab");
        let chunks = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nrest";
        assert_eq!(body("Transfer-Encoding: Chunked\r\n", chunks).unwrap(), "abc0123456789");
        let error = body("Transfer-Encoding: chunked\r\n", "3\r\nabcdef").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
