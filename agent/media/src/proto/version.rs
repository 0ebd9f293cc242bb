//! Version of the messages.

/// Both sides must be of one version; the child says its own first.
pub const VERSION: u32 = 3;
