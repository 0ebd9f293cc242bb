//! Crypto: hashes and signatures, on ring.
//!
//! # A tour
//!
//! [`hash`] gives SHA-256 of bytes, of parts and of files, and [`hash::Hash`], the form in which journal and messages write
//! one. [`sign`] makes, reads and uses Ed25519 keys: the box's own ([`sign::SigningKey`]) and those of the centre
//! ([`sign::CentreKey`]). What is hashed or signed is the business of whoever calls; this crate knows no message and no
//! record.

#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod hash;
pub mod sign;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
