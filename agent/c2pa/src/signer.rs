//! Who signs.

use std::sync::Arc;

use kerbside_crypto::sign::SigningKey;

use crate::certificate::{Chain, ChainError, own_certificate};

/// The box's key with the certificates that vouch for it. Signs whatever the clock says: verifiers judge the time.
#[derive(Clone, Debug)]
pub struct Signer {
    pub(crate) key: Arc<SigningKey>,
    /// DER, the signer's first.
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Signer {
    /// Signs in the name of `chain`, which must have been checked.
    pub fn new(key: Arc<SigningKey>, chain: &Chain) -> Self {
        Signer { key, certificates: chain.certificates().to_vec() }
    }

    /// Signs with a certificate that the box makes for itself: verifiers find the signature valid and the signer unknown.
    pub fn unvouched(key: Arc<SigningKey>, name: &str) -> Result<Self, ChainError> {
        let certificates = own_certificate(&key, name)?;
        Ok(Signer { key, certificates })
    }
}
