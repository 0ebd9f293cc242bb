//! Whether the groups of pictures of a stream fit into the packet ring. Pure.

/// Counts the bytes of one group after the other.
#[derive(Debug)]
pub(super) struct GroupSize {
    limit: u64,
    bytes: u64,
    began_s: f64,
    too_large: bool,
    told: bool,
}

/// What changed with a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GroupChange {
    /// The ring cannot hold the group that has grown to so many bytes in so many seconds. `first`: it was told never before.
    TooLarge { bytes: u64, seconds: f64, first: bool },
    /// A whole group fits again.
    Fits,
}

impl GroupSize {
    /// `ring_bytes`: size of the packet ring. A little of it goes into keeping account.
    pub(super) fn new(ring_bytes: u64) -> Self {
        GroupSize { limit: ring_bytes / 10 * 9, bytes: 0, began_s: 0.0, too_large: false, told: false }
    }

    /// `entry`: decoding can begin with this packet, so that a group begins.
    pub(super) fn packet(&mut self, bytes: usize, entry: bool, at_s: f64) -> Option<GroupChange> {
        let mut change = None;
        if entry {
            let fits = self.too_large && self.bytes <= self.limit;
            if fits {
                self.too_large = false;
                change = Some(GroupChange::Fits);
            }
            (self.bytes, self.began_s) = (0, at_s);
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > self.limit && !self.too_large {
            self.too_large = true;
            let first = !std::mem::replace(&mut self.told, true);
            let seconds = (at_s - self.began_s).max(0.0);
            change = Some(GroupChange::TooLarge { bytes: self.bytes, seconds, first });
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_outgrows_the_ring_is_told_once_and_taken_back_when_one_fits() {
        let mut group = GroupSize::new(1000);
        let mut changes = Vec::new();
        // Groups of 5, 12, 12 and 4 packets of 100 bytes, a packet a second.
        let entries = [0, 5, 17, 29, 33];
        for i in 0..40usize {
            let change = group.packet(100, entries.contains(&i), i as f64);
            changes.extend(change.map(|change| (i, change)));
        }
        let too_large = |first| GroupChange::TooLarge { bytes: 1000, seconds: 9.0, first };
        assert_eq!(changes, [(14, too_large(true)), (33, GroupChange::Fits)]);
        assert_eq!(
            group.packet(2000, true, 50.0),
            Some(GroupChange::TooLarge { bytes: 2000, seconds: 0.0, first: false })
        );
    }
}
