//! A network comes and goes in blocks of megabytes: read, parsed, unfolded, packed. In glibc's heap they leave holes that stay with the
//! process; what is free afterwards goes back to the system.
#![allow(unsafe_code)]

#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    // SAFETY: takes no pointer, locks the heap by itself, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}

/// Gives back when it is dropped: the last field of whoever holds a network.
#[derive(Debug)]
pub(super) struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        give_back();
    }
}
