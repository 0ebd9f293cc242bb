//! A packet as the decoder takes it.

use crate::child::nal::Entry;

/// What is known of a packet before it is decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::child) struct Fed {
    pub(in crate::child) entry: Option<Entry>,
    pub(in crate::child) damaged: bool,
}
