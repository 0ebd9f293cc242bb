//! In whose name the box signs its evidence: its own key, and the certificates that vouch for it.

use std::path::PathBuf;
use std::sync::Arc;

use kerbside_c2pa::{Chain, ChainError, Problem, Signer};
use kerbside_crypto::sign::SigningKey;
use kerbside_link::certificates::Stamps;

/// The box's key and what vouches for it.
#[derive(Debug)]
pub struct Signing {
    key: Arc<SigningKey>,
    edge_id: String,
    chain_file: PathBuf,
    /// Of the chain file when it was read last.
    stamps: Stamps,
    signer: Signer,
}

impl Signing {
    /// Without a usable chain in `chain_file` the box vouches for itself, until there is one.
    pub fn new(key: Arc<SigningKey>, edge_id: &str, chain_file: PathBuf) -> Result<Self, ChainError> {
        let signer = Signer::unvouched(key.clone(), edge_id)?;
        let stamps = Stamps::default();
        let mut signing = Signing { key, edge_id: edge_id.to_owned(), chain_file, stamps, signer };
        signing.take_chain();
        Ok(signing)
    }

    /// The signer of now: a chain that was installed or replaced counts from the next file on.
    pub(super) fn signer(&mut self) -> &Signer {
        if self.stamps != Stamps::of([self.chain_file.as_path()].into_iter()) {
            self.take_chain();
        }
        &self.signer
    }

    fn take_chain(&mut self) {
        self.stamps = Stamps::of([self.chain_file.as_path()].into_iter());
        let file = self.chain_file.display();
        let chain = match Chain::read(&self.chain_file) {
            Ok(Some(chain)) => chain,
            Ok(None) => {
                tracing::info!(%file, "evidence is signed by this box alone: no certificate chain");
                return self.vouch_for_itself();
            }
            Err(error) => {
                tracing::error!(%error, "evidence is signed by this box alone");
                return self.vouch_for_itself();
            }
        };
        let problems = chain.problems(&self.key.public());
        for problem in &problems {
            tracing::error!(%file, %problem, "certificate chain");
        }
        if problems.contains(&Problem::OtherKey) {
            return self.vouch_for_itself();
        }
        let (owner, authority) = chain.names();
        tracing::info!(owner, authority, "evidence is signed");
        self.signer = Signer::new(self.key.clone(), &chain);
    }

    fn vouch_for_itself(&mut self) {
        match Signer::unvouched(self.key.clone(), &self.edge_id) {
            Ok(signer) => self.signer = signer,
            Err(error) => tracing::error!(%error, "no certificate of its own"),
        }
    }
}
