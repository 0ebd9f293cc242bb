//! Incident ids: ULIDs that a replay makes again.

use ulid::Ulid;

use kerbside_domain::frame::BBox;

/// What an id is made of, known when a candidate begins: the same object seen by the same camera gets the same id.
pub(super) struct Birth<'a> {
    pub(super) edge_id: &'a str,
    pub(super) camera_id: &'a str,
    /// Where nobody vouches for the dates: which run it is. Empty otherwise.
    pub(super) run: &'a str,
    pub(super) first_seen_ms: i64,
    /// When the candidate began or got another id: what was withdrawn and opens again is another incident.
    pub(super) noticed_ms: i64,
    /// Tells apart what appeared in one frame at one place.
    pub(super) nth: u32,
    pub(super) bbox: BBox,
}

impl Birth<'_> {
    /// Time part: first seen. Random part: the first ten bytes of SHA-256 over all of it, so that boxes and cameras differ.
    pub(super) fn ulid(&self) -> String {
        let mut all = Vec::new();
        for text in [self.edge_id, self.camera_id] {
            // The length keeps "a" + "bc" and "ab" + "c" apart.
            all.extend((text.len() as u64).to_be_bytes());
            all.extend(text.as_bytes());
        }
        all.extend(self.first_seen_ms.to_be_bytes());
        all.extend(self.noticed_ms.to_be_bytes());
        all.extend(self.nth.to_be_bytes());
        for side in [self.bbox.x, self.bbox.y, self.bbox.w, self.bbox.h] {
            all.extend(side.to_bits().to_be_bytes());
        }
        all.extend(self.run.as_bytes());
        let random = kerbside_crypto::hash::of(&all)
            .iter()
            .take(10)
            .fold(0u128, |sum, byte| (sum << 8) | u128::from(*byte));
        Ulid::from_parts(u64::try_from(self.first_seen_ms).unwrap_or(0), random).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_again_and_another_for_another_place() {
        let bbox = BBox { x: 0.25, y: 0.5, w: 0.125, h: 0.25 };
        let birth = Birth {
            edge_id: "mh-xz-017",
            camera_id: "cam1",
            run: "",
            first_seen_ms: 1_795_221_065_120,
            noticed_ms: 1_795_221_069_120,
            nth: 1,
            bbox,
        };
        assert_eq!(birth.ulid(), birth.ulid());
        let elsewhere = Birth { bbox: BBox { x: 0.5, ..bbox }, ..birth };
        assert_ne!(birth.ulid(), elsewhere.ulid());
        assert_ne!(birth.ulid(), Birth { run: "01JD7Z6T6V8Q0M5N3K2H1G9F8E", ..birth }.ulid());
        assert_eq!(birth.ulid()[..10], elsewhere.ulid()[..10]);
    }
}
