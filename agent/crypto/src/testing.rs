//! A fixed key for tests and golden texts.

use crate::sign::SigningKey;

/// The key of RFC 8032, section 7.1, test 1, as openssl writes it.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

/// The key of RFC 8032's first example.
#[allow(clippy::expect_used)] // Tests only.
pub fn key() -> SigningKey {
    SigningKey::from_pem(PEM.as_bytes()).expect("the example of RFC 8032 is a key")
}
