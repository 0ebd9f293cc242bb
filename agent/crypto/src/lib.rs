//! Hashes and signatures, on ring: SHA-256 of bytes and files, Ed25519 keys and their files.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod hash;
pub mod sign;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
