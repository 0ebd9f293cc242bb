//! A chain of certificates as an authority gives it: PEM, the box's own first.

use std::path::{Path, PathBuf};

use x509_cert::Certificate;
use x509_cert::der::{Decode as _, pem};

/// A file beyond this is no chain, bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Goes into every file, and a picture with it must stay below the 200 KB of the contract, bytes.
const MAX_DER_BYTES: usize = 6500;
/// The box, one or two intermediates, the root; one more.
const MAX_CERTIFICATES: usize = 5;
const LABEL: &str = "CERTIFICATE";

/// Why there is no chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The file cannot be read or written.
    #[error("certificate chain {path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It holds something else.
    #[error("{0}; a chain is PEM, the certificate of the box first, then those of its authorities")]
    NotAChain(String),
    /// The encoding of a certificate or request failed.
    #[error(transparent)]
    Encoding(#[from] x509_cert::der::Error),
}

/// Certificates, each vouched for by the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// DER.
    raw: Vec<Vec<u8>>,
    pub(super) parsed: Vec<Certificate>,
}

impl Chain {
    /// Reads a file. `Ok(None)`: there is none.
    pub fn read(path: &Path) -> Result<Option<Chain>, ChainError> {
        match std::fs::read(path) {
            Ok(text) => match Chain::from_pem(&text) {
                Err(ChainError::NotAChain(why)) => {
                    Err(ChainError::NotAChain(format!("{}: {why}", path.display())))
                }
                chain => chain.map(Some),
            },
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(ChainError::File { path: path.to_owned(), cause }),
        }
    }

    /// The certificates of a PEM text, in its order. A root at the end is left out: verifiers have their own.
    pub fn from_pem(text: &[u8]) -> Result<Chain, ChainError> {
        let not = |why: &str| ChainError::NotAChain(why.to_owned());
        if text.len() > MAX_BYTES {
            return Err(not(&format!("more than {MAX_BYTES} bytes")));
        }
        let text = std::str::from_utf8(text).map_err(|_| not("no text"))?;
        let mut raw = Vec::new();
        for block in blocks(text) {
            let (label, der) = pem::decode_vec(block.as_bytes())
                .map_err(|e| not(&format!("certificate {}: {e}", raw.len() + 1)))?;
            if label != LABEL {
                return Err(not(&format!("it holds a {label}")));
            }
            raw.push(der);
        }
        if raw.is_empty() || raw.len() > MAX_CERTIFICATES {
            return Err(not(&format!("it holds {} certificates", raw.len())));
        }
        let mut parsed = raw
            .iter()
            .enumerate()
            .map(|(n, der)| {
                Certificate::from_der(der).map_err(|e| not(&format!("certificate {}: {e}", n + 1)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let is_root = |c: &Certificate| c.tbs_certificate.issuer == c.tbs_certificate.subject;
        if parsed.len() > 1 && parsed.last().is_some_and(is_root) {
            parsed.pop();
            raw.pop();
        }
        let bytes: usize = raw.iter().map(Vec::len).sum();
        if bytes > MAX_DER_BYTES {
            return Err(not(&format!("{bytes} bytes of certificates; {MAX_DER_BYTES} fit into a picture")));
        }
        Ok(Chain { raw, parsed })
    }

    /// DER, the box's own first.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.raw
    }

    /// What an installed file holds.
    pub fn to_pem(&self) -> Result<String, ChainError> {
        let block = |der: &Vec<u8>| pem::encode_string(LABEL, pem::LineEnding::LF, der);
        let blocks = self.raw.iter().map(block).collect::<Result<String, _>>();
        blocks.map_err(|e| ChainError::NotAChain(e.to_string()))
    }

    /// From when to when all of it counts, s since the Unix epoch.
    pub fn validity_s(&self) -> (i64, i64) {
        let seconds = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
        };
        let of_each = self.parsed.iter().map(|c| c.tbs_certificate.validity);
        let begins = of_each.clone().map(|v| seconds(v.not_before)).max();
        let ends = of_each.map(|v| seconds(v.not_after)).min();
        (begins.unwrap_or(i64::MIN), ends.unwrap_or(i64::MAX))
    }

    /// In whose name the box signs, and who vouches for that.
    pub fn names(&self) -> (String, String) {
        let names = self.parsed.first().map(|c| {
            let tbs = &c.tbs_certificate;
            (tbs.subject.to_string(), tbs.issuer.to_string())
        });
        names.unwrap_or_default()
    }
}

/// What lies between the lines that begin and end a block; other text is for people.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    const BEGIN: &str = "-----BEGIN ";
    let mut rest = text;
    std::iter::from_fn(move || {
        let block = rest.get(rest.find(BEGIN)?..)?;
        let next = block.get(BEGIN.len()..).and_then(|b| b.find(BEGIN));
        let (block, after) = block.split_at(next.map_or(block.len(), |at| at + BEGIN.len()));
        rest = after;
        let end = block.rfind("-----").map_or(block.len(), |at| at + 5);
        Some(block.get(..end).unwrap_or(block))
    })
}
