//! C2PA: signs pictures and clips, so that tools that are not ours verify who made them and that nothing was changed since.
//!
//! # A tour
//!
//! [`Signer`] holds the box's key and its [`Chain`] of certificates. [`sign_jpeg`] and [`sign_mp4`] put a C2PA manifest
//! into a file: a [`Statement`] of ours about it, the hash of everything else in the file, and a signature over both.
//! [`Chain`] reads and checks the certificates that an authority gave, [`request`] makes the request for them.
//!
//! | module | owns |
//! |---|---|
//! | `cbor`, `jumbf`, `cose` | the three encodings of which a manifest is made, as far as it needs them |
//! | `manifest` | what a manifest says, and how its parts name and hash each other |
//! | `jpeg`, `mp4` | where it stands in a file, and what of the file is hashed. Files may be hostile: every length is checked |
//! | `certificate` | X.509: the request, the chain, the certificate that a box without one makes for itself |
//!
//! It only writes. Reading and verifying is left to tools that are not ours, also in the tests: what a writer and a reader of one
//! hand agree about proves little.
//!
//! Sources: C2PA specification 2.2 (claim v2, `c2pa.hash.data`, `c2pa.hash.bmff.v3`, certificate profile), ISO 19566-5 (JUMBF),
//! ISO 18477-3 annex B (boxes in APP11), ISO 14496-12 (MP4), RFC 8949 (CBOR), RFC 9052 and 9360 (COSE), RFC 5280 and 8410 (X.509).

#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout))]

mod cbor;
mod certificate;
mod cose;
mod error;
mod jpeg;
mod jumbf;
mod manifest;
mod mp4;
mod signer;
mod statement;
#[cfg(test)]
mod testing;

pub use certificate::{Chain, ChainError, Problem, public_key_fingerprint, request};
pub use error::SignError;
pub use jpeg::sign_jpeg;
pub use mp4::sign_mp4;
pub use signer::Signer;
pub use statement::{Edit, Statement};
