//! A network comes and goes in blocks of megabytes: read, parsed, unfolded, packed. In glibc's heap they leave holes that stay with the
//! process, so while one is loaded they lie apart, each in pages of its own, and what is free afterwards goes back to the system.
#![allow(unsafe_code)]

/// Blocks from this size on lie apart while a network is loaded, bytes: glibc's own first limit, which it raises by itself later.
const APART: i32 = 128 * 1024;
/// And otherwise: pictures come and go all the time, and fresh pages for each would cost more than the holes.
const USUAL: i32 = 32 * 1024 * 1024;

pub(super) fn while_loading<T>(load: impl FnOnce() -> T) -> T {
    lay_apart_from(APART);
    let loaded = load();
    lay_apart_from(USUAL);
    give_back();
    loaded
}

#[cfg(target_env = "gnu")]
fn lay_apart_from(bytes: i32) {
    // SAFETY: takes no pointer; the limit is a number that each allocation reads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
    }
}

#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: takes no pointer, locks the heap by itself, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
fn lay_apart_from(_bytes: i32) {}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

/// Gives back when it is dropped: the last field of whoever holds a network.
#[derive(Debug)]
pub(super) struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        give_back();
    }
}
