//! SHA-256 of bytes and files, through ring: it uses what the processor has for it, on ARM too.

use std::fs::File;
use std::io::Read as _;

use serde::{Deserialize, Serialize};

use ring::digest::{Context, SHA256, digest};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The bytes of a hash.
pub type Sha256 = [u8; 32];

/// Of these bytes.
pub fn of(bytes: &[u8]) -> Sha256 {
    taken(digest(&SHA256, bytes))
}

/// Of all parts, one after the other.
pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Sha256 {
    let mut hasher = Hasher::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// A hash of bytes that come piece by piece.
#[derive(Clone)]
pub struct Hasher {
    context: Context,
    bytes: u64,
}

impl Hasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Hasher { context: Context::new(&SHA256), bytes: 0 }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Of all that came.
    pub fn finish(self) -> Sha256 {
        taken(self.context.finish())
    }

    /// Of all that came, in hex, and how many bytes that was.
    pub fn finish_hex(self) -> (String, u64) {
        let bytes = self.bytes;
        (hex(&self.finish()), bytes)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Hasher::new()
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hasher({} bytes)", self.bytes)
    }
}

/// Of a file from where it stands to its end, in hex, and how many bytes that is.
pub fn of_file(file: &mut File) -> std::io::Result<(String, u64)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish_hex()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Lower case.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

fn taken(digest: ring::digest::Digest) -> Sha256 {
    let mut out = Sha256::default();
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// SHA-256, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Hash(of(bytes))
    }

    /// Reads `sha256:` and 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        if hex.len() != 64 {
            return None;
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            if !pair.iter().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(c)) {
                return None;
            }
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Hash(out))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hash::parse(&text).ok_or_else(|| serde::de::Error::custom("not sha256:<64 hex>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn bytes_parts_and_a_file_of_them_have_the_published_hash() {
        assert_eq!(hex(&of(b"abc")), ABC);
        assert_eq!(hex(&of_parts([b"a".as_slice(), b"", b"bc"])), ABC);
        let mut hasher = Hasher::default();
        [b"ab".as_slice(), b"c"].into_iter().for_each(|part| hasher.update(part));
        assert_eq!(hex(&hasher.clone().finish()), ABC);
        assert_eq!(hasher.finish_hex(), (ABC.to_owned(), 3));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("abc"), "abc").unwrap();
        let found = of_file(&mut File::open(dir.path().join("abc")).unwrap()).unwrap();
        assert_eq!(found, (ABC.to_owned(), 3));
    }
}
