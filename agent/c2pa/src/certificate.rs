//! X.509: the request for a certificate, the chain that an authority gave, the certificate that a box makes for itself.

mod chain;
mod check;
mod own;
mod parts;
mod request;

pub use chain::{Chain, ChainError};
pub use check::Problem;
pub(crate) use own::own_certificate;
pub use parts::public_key_fingerprint;
pub use request::request;
