//! The shelf: the newest entries with their pictures, as files in one folder. It survives restarts and power cuts: a file is
//! whole under its own name, or it is not there. It is bounded in entries, in bytes and in writes a minute.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use kerbside_domain::time::Mono;

use super::entry::{Entry, Picture};
use crate::durable;

/// Entries that are kept; the oldest goes first.
pub const MAX_ENTRIES: usize = 500;
/// Longest entry, bytes: ours have less than 2 KB.
const MAX_ENTRY_BYTES: u64 = 16 << 10;
/// Writes a minute: a street at a market would wear out an SD card.
const MAX_WRITES_A_MINUTE: u32 = 30;

/// What became of entries, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShelfCounters {
    /// Written, an entry that changed counted again.
    pub kept: u64,
    /// Not written: too many in this minute, or the disk refused.
    pub dropped: u64,
    /// Made room for newer ones.
    pub evicted: u64,
    /// Pictures cut out.
    pub pictures: u64,
}

#[derive(Debug)]
struct Kept {
    id: String,
    picture: Picture,
}

/// The folder with the entries.
#[derive(Debug)]
pub struct Shelf {
    dir: PathBuf,
    /// By number, oldest first.
    kept: BTreeMap<u64, Kept>,
    next: u64,
    minute: (Mono, u32),
    counters: ShelfCounters,
}

impl Shelf {
    /// Takes over what lies there; what a power cut left half is deleted.
    pub fn open(dir: PathBuf) -> Shelf {
        let mut kept = BTreeMap::new();
        for (number, entry) in entries(&dir) {
            kept.insert(number, Kept { id: entry.id, picture: entry.picture });
        }
        let next = kept.last_key_value().map_or(0, |(number, _)| number + 1);
        let shelf = Shelf { dir, kept, next, minute: (Mono::ZERO, 0), counters: ShelfCounters::default() };
        shelf.delete_strays();
        shelf
    }

    pub fn counters(&self) -> ShelfCounters {
        self.counters
    }

    /// The picture of an entry that is there already.
    pub fn picture_of(&self, id: &str) -> Option<&Picture> {
        self.kept.values().find(|k| k.id == id).map(|k| &k.picture)
    }

    /// Under this name a picture for the next entry may be written.
    pub fn temporary(&self) -> PathBuf {
        self.dir.join(".picture.part")
    }

    /// Makes the folder.
    pub fn prepare(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.dir)
    }

    /// Whether another entry may be written in this minute; counts it as dropped if not.
    pub fn admits(&mut self, now: Mono) -> bool {
        if now.since_s(self.minute.0) >= 60.0 {
            self.minute = (now, 0);
        }
        let admits = self.minute.1 < MAX_WRITES_A_MINUTE;
        if admits {
            self.minute.1 += 1
        } else {
            self.counters.dropped += 1
        }
        admits
    }

    /// Puts an entry there, or in the place of the one with its id. `picture`: a file that becomes its picture.
    pub fn put(&mut self, entry: Entry, picture: Option<&Path>) {
        match self.write(entry, picture) {
            Ok(()) => self.counters.kept += 1,
            Err(error) => {
                self.counters.dropped += 1;
                tracing::debug!(%error, folder = %self.dir.display(), "an entry of `why` was not kept");
            }
        }
    }

    fn write(&mut self, mut entry: Entry, picture: Option<&Path>) -> std::io::Result<()> {
        self.prepare()?;
        let known = self.kept.iter().find(|(_, k)| k.id == entry.id).map(|(number, _)| *number);
        let number = known.unwrap_or(self.next);
        if let Some(file) = picture {
            let name = format!("{number:010}.jpg");
            durable::sync(&File::open(file)?)?;
            std::fs::rename(file, self.dir.join(&name))?;
            entry.picture = Picture::File(name);
            self.counters.pictures += 1;
        }
        let text = serde_json::to_string(&entry).map_err(std::io::Error::other)?;
        durable::write(&self.dir.join(format!("{number:010}.json")), text.as_bytes())?;
        self.next = self.next.max(number + 1);
        self.kept.insert(number, Kept { id: entry.id, picture: entry.picture });
        self.evict();
        Ok(())
    }

    fn evict(&mut self) {
        while self.kept.len() > MAX_ENTRIES {
            let Some((number, _)) = self.kept.pop_first() else { return };
            self.counters.evicted += 1;
            // One that does not go is found at the next start.
            let _ = std::fs::remove_file(self.dir.join(format!("{number:010}.json")));
            let _ = std::fs::remove_file(self.dir.join(format!("{number:010}.jpg")));
        }
    }

    /// Everything in the folder that belongs to no entry, and entries beyond the bound.
    fn delete_strays(&self) {
        let Ok(files) = std::fs::read_dir(&self.dir) else { return };
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let number = number_of(&name, ".json").or_else(|| number_of(&name, ".jpg"));
            if !number.is_some_and(|n| self.kept.contains_key(&n)) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// The entries of a folder, oldest first. It may be written to at the same time.
pub fn read(dir: &Path) -> Vec<Entry> {
    entries(dir).into_values().collect()
}

/// The newest by number. Files that are no entries are passed over.
fn entries(dir: &Path) -> BTreeMap<u64, Entry> {
    let Ok(files) = std::fs::read_dir(dir) else { return BTreeMap::new() };
    let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    let mut numbers: Vec<u64> = names.filter_map(|name| number_of(&name, ".json")).collect();
    numbers.sort_unstable();
    let oldest = numbers.len().saturating_sub(MAX_ENTRIES);
    let entry = |number: &u64| {
        let path = dir.join(format!("{number:010}.json"));
        let is_small = std::fs::metadata(&path).is_ok_and(|m| m.len() <= MAX_ENTRY_BYTES);
        let text = is_small.then(|| std::fs::read_to_string(&path).ok()).flatten()?;
        Some((*number, serde_json::from_str(&text).ok()?))
    };
    numbers[oldest..].iter().filter_map(entry).collect()
}

fn number_of(name: &str, suffix: &str) -> Option<u64> {
    name.strip_suffix(suffix).filter(|digits| digits.len() == 10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::NoPicture;
    use super::*;
    use kerbside_domain::frame::BBox;
    use kerbside_seeing::incident::WhyNot;
    use kerbside_seeing::incident::refusal::{Fate, Thing};

    fn entry(id: &str, fate: Fate) -> Entry {
        let bbox = BBox { x: 0.4, y: 0.6, w: 0.1, h: 0.1 };
        Entry {
            id: id.to_owned(),
            camera: "cam1".into(),
            zone: "walk".into(),
            rule: "r".into(),
            thing: Thing { candidate: 1, region: Some(2), track: None, label: None, group: None, bbox },
            from: "2026-11-21T08:00:00.000+08:00".into(),
            to: "2026-11-21T08:00:48.000+08:00".into(),
            from_ms: 0,
            to_ms: 48_000,
            undated: false,
            why: WhyNot::Vacated,
            fate,
            picture: Picture::None(NoPicture::Busy),
        }
    }

    #[test]
    fn the_newest_stay_over_restarts_and_an_entry_that_ends_takes_its_own_place() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("why");
        let mut shelf = Shelf::open(folder.clone());
        for n in 0..MAX_ENTRIES + 20 {
            shelf.prepare().unwrap();
            let picture = shelf.temporary();
            std::fs::write(&picture, b"jpeg").unwrap();
            shelf.put(entry(&format!("e{n}"), Fate::Standing), Some(&picture));
        }
        let mut shelf = Shelf::open(folder.clone());
        let last = format!("e{}", MAX_ENTRIES + 19);
        assert!(matches!(shelf.picture_of(&last), Some(Picture::File(_))));
        assert!(shelf.picture_of("e19").is_none() && shelf.picture_of("e20").is_some());
        shelf.put(entry("e20", Fate::Gone), None);
        let all = read(&folder);
        let ids: Vec<&str> = all.iter().map(|e| e.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], *ids.last().unwrap()), (MAX_ENTRIES, "e20", last.as_str()));
        assert_eq!(all[0].fate, Fate::Gone);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2 * MAX_ENTRIES);
        let counters = ShelfCounters { kept: 1, ..ShelfCounters::default() };
        assert_eq!(shelf.counters(), counters);
    }

    /// What a power cut may leave: a part, an entry cut off or of zeros, a picture without its entry.
    #[test]
    fn what_a_power_cut_leaves_half_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("why");
        let mut shelf = Shelf::open(folder.clone());
        shelf.put(entry("whole", Fate::Gone), None);
        for (name, bytes) in [
            (".0000000004.json.part", &b"{\"id\""[..]),
            (".picture.part", b"\xff\xd8"),
            ("0000000001.json", b"{\"id\":\"cut off"),
            ("0000000002.json", &[0; 512]),
            ("0000000003.jpg", b"\xff\xd8"),
        ] {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        assert_eq!(read(&folder).len(), 1, "also beside a running box");
        let mut shelf = Shelf::open(folder.clone());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        shelf.put(entry("next", Fate::Gone), None);
        let ids: Vec<String> = read(&folder).into_iter().map(|e| e.id).collect();
        assert_eq!(ids, ["whole", "next"]);
    }

    #[test]
    fn a_busy_street_does_not_wear_out_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(dir.path().join("why"));
        let at = |s: f64| Mono::from_s(s);
        let admitted = (0..100).filter(|n| shelf.admits(at(1000.0 + 0.1 * f64::from(*n)))).count();
        assert_eq!((admitted, shelf.counters().dropped), (30, 70));
        assert!(shelf.admits(at(1061.0)));
    }

    #[test]
    fn a_folder_that_cannot_be_made_costs_an_entry_and_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("why"), b"a file").unwrap();
        let mut shelf = Shelf::open(dir.path().join("why"));
        shelf.put(entry("e", Fate::Gone), None);
        assert_eq!((shelf.counters().kept, shelf.counters().dropped), (0, 1));
    }
}
