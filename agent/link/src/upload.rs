//! Upload: files of evidence on their way to the centre, a few at a time, behind the reports.
//!
//! A grant stays in the ledger until `evidence.ready` or `evidence.failed` is durable, so that a restart goes on with it.
//! What leaves is checked first: the file must be what the grant, and with it the manifest, says.
//!
//! | file | owns |
//! |---|---|
//! | `queue` | which upload goes next, and which server is left alone for a while; pure |
//! | `destination` | where a file may go |
//! | `http` | one PUT, and what the server's answer means |
//! | `chunks` | a file in pieces through the link |
//! | `task` | attempts, one after the other until each upload is over |

mod chunks;
mod destination;
mod http;
mod put_error;
mod queue;
mod task;
#[cfg(test)]
mod tests;

pub use task::{Uploader, spawn};
