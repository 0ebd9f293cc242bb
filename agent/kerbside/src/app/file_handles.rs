//! File handles: as many as the system allows this process, so that a box with many cameras does not run out of them before its
//! supervisor's limit. What strangers can open is bounded where they come in.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any box needs: 64 cameras with ten each, and what all the rest opens.
const ENOUGH: u64 = 4096;
/// For each camera: its child's pipes, its clips and pictures while they are made.
const OF_A_CAMERA: u64 = 10;
/// Journal, index, link, uploads, sensors, the visitors of the health pages, libraries.
const OF_THE_REST: u64 = 96;

/// Raises the soft limit, and warns if it is low for that many cameras.
pub(super) fn raise(cameras: usize) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    let mut current = limit.current.unwrap_or(u64::MAX);
    if current < most {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit }) {
            Ok(()) => current = most,
            Err(error) => tracing::debug!(%error, "the limit of file handles stays"),
        }
    }
    let needed = OF_THE_REST + OF_A_CAMERA * cameras as u64;
    if current < needed {
        tracing::warn!(current, needed, "few file handles: raise LimitNOFILE in the unit, or `ulimit -n`");
    }
}
