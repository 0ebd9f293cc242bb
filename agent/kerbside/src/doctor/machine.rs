//! The machine itself: clock, memory, disk, devices.

use std::path::{Path, PathBuf};

use super::finding::{Area, Finding};
use crate::ntp::{self, Synchronised};
use kerbside_domain::time::Clock;
use kerbside_site::config::Site;

/// Journal, index and reserve file beside the evidence, bytes. The outbox alone is bounded to 368 MiB.
const BESIDE_EVIDENCE: u64 = 512 << 20;
/// The agent process without its rings, bytes. The goal is 90 MB; the rest is room.
const AGENT_BYTES: u64 = 256 << 20;
/// A capture child, bytes, with room.
const CHILD_BYTES: u64 = 48 << 20;
/// A disk that takes longer to sync a small file makes every report wait, s.
const SLOW_SYNC_S: f64 = 0.5;

/// By the same sources as the running agent.
pub(super) fn clock_synchronised() -> Finding {
    let remedy = "turn on NTP (timedatectl set-ntp true), or configure [gnss]; reports say how far the time is to be trusted";
    match ntp::synchronised() {
        Synchronised::Yes(says) => Finding::good(Area::Clock, format!("synchronised by NTP ({says})")),
        Synchronised::No => Finding::advice(Area::Clock, "not synchronised", remedy),
        Synchronised::Unknown => {
            Finding::advice(Area::Clock, "it is not known whether it is synchronised", remedy)
        }
    }
}

/// Memory available against what the rings and children may take.
pub(super) fn memory(site: Option<&Site>) -> Finding {
    let Some(available) = available_memory() else {
        return Finding::advice(
            Area::Memory,
            "/proc/meminfo cannot be read",
            "run on Linux with /proc mounted",
        );
    };
    let cameras = site.map_or(0, |s| s.cameras.len() as u64);
    let rings: u64 = site.map_or(0, |s| s.cameras.iter().map(|c| c.ring_bytes as u64).sum());
    let needed = AGENT_BYTES + rings + cameras * CHILD_BYTES;
    let what = format!("{} available, up to {} needed", mib(available), mib(needed));
    if available >= needed {
        Finding::good(Area::Memory, what)
    } else {
        Finding::wrong(Area::Memory, what, "lower ring_mb of the cameras, or use a box with more memory")
    }
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Writable, synced in good time, and large enough.
pub(super) fn data_dir(site: &Site, clock: &dyn Clock) -> Vec<Finding> {
    let dir = &site.device.data_dir;
    let folder = existing_above(dir);
    let shown = dir.display();
    let mut findings = Vec::new();
    let began = clock.now().mono;
    match write_and_sync(&folder) {
        Err(e) => {
            let what = format!("{shown}: not writable in {}: {e}", folder.display());
            let remedy =
                format!("install -d -o kerbside {shown}, and check that the disk is not mounted read-only");
            findings.push(Finding::wrong(Area::Disk, what, remedy));
        }
        Ok(()) => {
            let took_s = clock.now().mono.since_s(began);
            let missing = if folder == *dir { "" } else { " (will be made)" };
            if took_s > SLOW_SYNC_S {
                let what = format!("{shown}{missing}: a small file took {took_s:.1} s to sync");
                findings.push(Finding::advice(
                    Area::Disk,
                    what,
                    "use a faster or healthier disk; look at dmesg and smartctl",
                ));
            } else {
                findings.push(Finding::good(Area::Disk, format!("{shown}{missing} is writable and syncs")));
            }
        }
    }
    findings.push(free_space(site, &folder));
    findings
}

/// Does what every durable record needs: write, fsync of the file, fsync of the folder.
fn write_and_sync(folder: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let path = folder.join(format!(".kerbside-doctor-{}", std::process::id()));
    let written = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(&[0u8; 4096])?;
        file.sync_all()?;
        std::fs::File::open(folder)?.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

fn free_space(site: &Site, folder: &Path) -> Finding {
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(e) => {
            return Finding::advice(
                Area::Disk,
                format!("free space is not known: {e}"),
                "look at it with df",
            );
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = site.evidence.max_bytes.saturating_add(BESIDE_EVIDENCE);
    let what = format!("{} free, up to {} needed (evidence and journal)", mib(free), mib(needed));
    if free >= needed {
        Finding::good(Area::Disk, what)
    } else if free >= BESIDE_EVIDENCE {
        Finding::advice(
            Area::Disk,
            what,
            "lower max_bytes in [evidence]; what is there already counts against it",
        )
    } else {
        Finding::wrong(Area::Disk, what, "make room: the journal itself may not fit")
    }
}

/// The file or device can be opened for reading by this user.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Does not wait for a carrier, nor for a writer at the other end of a pipe.
    let flags = rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOCTTY).bits();
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags as i32).open(path);
    opened.map(|_| ()).map_err(|e| e.to_string())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The nearest folder above that exists.
pub(super) fn existing_above(path: &Path) -> PathBuf {
    path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned()
}
