//! Upload: files of evidence on their way to the centre, one after the other, behind the reports.
//!
//! A grant stays in the ledger until `evidence.ready` or `evidence.failed` is durable, so that a restart goes on with it.
//! What leaves is checked first: the file must be what the grant, and with it the manifest, says.

mod chunks;
mod http;
mod task;
#[cfg(test)]
mod tests;

pub use task::{Uploader, spawn};
