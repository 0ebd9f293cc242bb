//! EXIF 2.32 in JPEG: when, where and of what a picture is, in tags that every viewer and every evidence tool reads.
//!
//! A writer of our own: five dozen lines that put one APP1 segment behind the file's head. Libraries that edit EXIF parse the whole
//! file first, and the file is hostile. The tests read what is written with a library of others.

/// What is written. Absent where it is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exif {
    /// When it was taken.
    pub taken: Option<Taken>,
    /// Where.
    pub place: Option<ExifPlace>,
    /// The box.
    pub model: String,
    /// 32 hex digits that name this picture and no other.
    pub unique_id: String,
    /// Ids for programs: `incident=... revision=1 role=trigger ...`, ASCII.
    pub comment: String,
}

/// A time of day with its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// `2026-11-21T08:31:05.120+08:00`, RFC 3339 with milliseconds.
    pub rfc3339: String,
    /// The same in UTC: `2026-11-21T00:31:05.120+00:00`.
    pub rfc3339_utc: String,
}

/// A place, WGS-84.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExifPlace {
    /// Longitude.
    pub lon_deg: f64,
    /// Latitude.
    pub lat_deg: f64,
    /// Radius that holds it, m; absent where nobody knows.
    pub accuracy_m: Option<f64>,
}

/// Longest comment, bytes. Bound: a segment holds 64 KiB, and nobody reads more.
const MAX_COMMENT: usize = 1000;
/// Longest other text, bytes.
const MAX_TEXT: usize = 64;

const ASCII: u16 = 2;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const UNDEFINED: u16 = 7;
const BYTE: u16 = 1;

/// One entry of a directory.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    bytes: Vec<u8>,
}

impl Entry {
    fn text(tag: u16, text: &str) -> Entry {
        let mut bytes: Vec<u8> = text.bytes().filter(|b| (0x20..0x7f).contains(b)).take(MAX_TEXT).collect();
        bytes.push(0);
        Entry { tag, kind: ASCII, count: bytes.len() as u32, bytes }
    }

    fn bytes(tag: u16, kind: u16, bytes: &[u8]) -> Entry {
        Entry { tag, kind, count: bytes.len() as u32, bytes: bytes.to_vec() }
    }

    fn long(tag: u16, value: u32) -> Entry {
        Entry { tag, kind: LONG, count: 1, bytes: value.to_le_bytes().to_vec() }
    }

    fn rationals(tag: u16, values: &[(u32, u32)]) -> Entry {
        let bytes = values.iter().flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()].concat()).collect();
        Entry { tag, kind: RATIONAL, count: values.len() as u32, bytes }
    }
}

/// The JPEG with an EXIF segment behind its head; as it is if it is no JPEG.
pub fn with_exif(jpeg: &[u8], exif: &Exif) -> Vec<u8> {
    let Some(at) = end_of_jfif(jpeg) else { return jpeg.to_vec() };
    let body = [b"Exif\0\0".as_slice(), &tiff(exif)].concat();
    let Ok(length) = u16::try_from(body.len() + 2) else { return jpeg.to_vec() };
    let (head, rest) = jpeg.split_at(at);
    [head, &[0xff, 0xe1], &length.to_be_bytes(), &body, rest].concat()
}

/// Behind the start marker and the JFIF segment, if there is one.
fn end_of_jfif(jpeg: &[u8]) -> Option<usize> {
    match jpeg {
        [0xff, 0xd8, 0xff, 0xe0, high, low, ..] => {
            let end = 4 + usize::from(u16::from_be_bytes([*high, *low]));
            (end <= jpeg.len()).then_some(end)
        }
        [0xff, 0xd8, ..] => Some(2),
        _ => None,
    }
}

/// Offsets of the three directories are known only once their sizes are: each is laid out behind the one before.
fn tiff(exif: &Exif) -> Vec<u8> {
    const START: u32 = 8;
    let photo = photo_entries(exif);
    let gps = exif.place.map(|place| gps_entries(place, exif.taken.as_ref())).unwrap_or_default();
    let has_gps = !gps.is_empty();
    let main = |photo_at, gps_at| main_entries(exif, photo_at, has_gps.then_some(gps_at));
    let photo_at = START + directory(&main(0, 0), START).len() as u32;
    let photo = directory(&photo, photo_at);
    let gps_at = photo_at + photo.len() as u32;
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    out.extend(directory(&main(photo_at, gps_at), START));
    out.extend(photo);
    if has_gps {
        out.extend(directory(&gps, gps_at));
    }
    out
}

fn main_entries(exif: &Exif, photo_at: u32, gps_at: Option<u32>) -> Vec<Entry> {
    let mut entries = vec![Entry::text(0x010f, "Kerbside"), Entry::text(0x0110, &exif.model)];
    entries.extend(exif.taken.as_ref().map(|taken| Entry::text(0x0132, &date_time(&taken.rfc3339))));
    entries.push(Entry::long(0x8769, photo_at));
    entries.extend(gps_at.map(|at| Entry::long(0x8825, at)));
    entries
}

fn photo_entries(exif: &Exif) -> Vec<Entry> {
    let mut entries = vec![Entry::bytes(0x9000, UNDEFINED, b"0232")];
    if let Some(Taken { rfc3339, .. }) = &exif.taken {
        let offset = rfc3339.get(rfc3339.len().saturating_sub(6)..).unwrap_or_default();
        entries.push(Entry::text(0x9003, &date_time(rfc3339)));
        entries.push(Entry::text(0x9004, &date_time(rfc3339)));
        entries.extend([0x9010, 0x9011].map(|tag| Entry::text(tag, offset)));
    }
    let comment: Vec<u8> =
        exif.comment.bytes().filter(|b| (0x20..0x7f).contains(b)).take(MAX_COMMENT).collect();
    entries.push(Entry::bytes(0x9286, UNDEFINED, &[b"ASCII\0\0\0".as_slice(), &comment].concat()));
    if let Some(Taken { rfc3339, .. }) = &exif.taken {
        let ms = rfc3339.get(20..23).unwrap_or("000");
        entries.extend([0x9291, 0x9292].map(|tag| Entry::text(tag, ms)));
    }
    entries.push(Entry::text(0xa420, &exif.unique_id));
    entries
}

fn gps_entries(place: ExifPlace, taken: Option<&Taken>) -> Vec<Entry> {
    let ExifPlace { lon_deg, lat_deg, accuracy_m } = place;
    let mut entries = vec![
        Entry::bytes(0x0000, BYTE, &[2, 3, 0, 0]),
        Entry::text(0x0001, if lat_deg < 0.0 { "S" } else { "N" }),
        Entry::rationals(0x0002, &degrees(lat_deg)),
        Entry::text(0x0003, if lon_deg < 0.0 { "W" } else { "E" }),
        Entry::rationals(0x0004, &degrees(lon_deg)),
    ];
    let utc = taken.map(|t| t.rfc3339_utc.as_str()).unwrap_or_default();
    let part = |range: std::ops::Range<usize>| utc.get(range).and_then(|text| text.parse::<u32>().ok());
    if let (Some(h), Some(m), Some(s)) = (part(11..13), part(14..16), part(17..19)) {
        entries.push(Entry::rationals(0x0007, &[(h, 1), (m, 1), (s, 1)]));
    }
    entries.push(Entry::text(0x0012, "WGS-84"));
    if let Some(date) = utc.get(..10) {
        entries.push(Entry::text(0x001d, &date.replace('-', ":")));
    }
    let decimetres = accuracy_m.map(|m| (m.clamp(0.0, 1e6) * 10.0).ceil() as u32);
    entries.extend(decimetres.map(|dm| Entry::rationals(0x001f, &[(dm, 10)])));
    entries
}

/// Degrees, minutes, seconds of 1/10000: three millimetres.
fn degrees(value: f64) -> [(u32, u32); 3] {
    let parts = (value.abs().min(180.0) * 3600.0 * 10_000.0).round() as u64;
    let (seconds, minutes) = (parts % 600_000, parts / 600_000);
    [((minutes / 60) as u32, 1), ((minutes % 60) as u32, 1), (seconds as u32, 10_000)]
}

/// `2026:11:21 08:31:05` of an RFC 3339 text.
fn date_time(rfc3339: &str) -> String {
    let date = rfc3339.get(..10).unwrap_or_default().replace('-', ":");
    format!("{date} {}", rfc3339.get(11..19).unwrap_or_default())
}

/// A directory that begins at `at`, with what does not fit into its entries behind it.
fn directory(entries: &[Entry], at: u32) -> Vec<u8> {
    let mut head = (entries.len() as u16).to_le_bytes().to_vec();
    let data_at = at + 2 + 12 * entries.len() as u32 + 4;
    let mut data: Vec<u8> = Vec::new();
    for Entry { tag, kind, count, bytes } in entries {
        head.extend(tag.to_le_bytes());
        head.extend(kind.to_le_bytes());
        head.extend(count.to_le_bytes());
        match bytes.len() {
            0..=4 => {
                let mut inline = bytes.clone();
                inline.resize(4, 0);
                head.extend(inline);
            }
            _ => {
                head.extend((data_at + data.len() as u32).to_le_bytes());
                data.extend(bytes);
                data.resize(data.len().next_multiple_of(2), 0);
            }
        }
    }
    head.extend([0; 4]);
    head.extend(data);
    head
}

#[cfg(test)]
mod tests {
    use ::exif::{In, Reader, Tag};

    use super::*;
    use crate::picture::Picture;

    fn full() -> Exif {
        Exif {
            taken: Some(Taken {
                rfc3339: "2026-11-21T08:31:05.120+08:00".into(),
                rfc3339_utc: "2026-11-21T00:31:05.120+00:00".into(),
            }),
            place: Some(ExifPlace { lon_deg: 121.376_123_4, lat_deg: 31.112_456_7, accuracy_m: Some(2.8) }),
            model: "mh-xz-017".into(),
            unique_id: "0192b5f3a1c84e0b9d5f3a1c84e0b9d5".into(),
            comment: "incident=01JD7Z revision=1 role=trigger".into(),
        }
    }

    /// What a library of others reads.
    fn read(jpeg: &[u8]) -> impl Fn(Tag) -> Option<String> + use<> {
        let exif = Reader::new().read_from_container(&mut std::io::Cursor::new(jpeg)).unwrap();
        move |tag| exif.get_field(tag, In::PRIMARY).map(|f| f.display_value().with_unit(&exif).to_string())
    }

    #[test]
    fn others_read_time_place_and_ids() {
        let jpeg = Picture::filled(32, 32, [9, 99, 199]).jpeg(80).unwrap();
        let dated = with_exif(&jpeg, &full());
        let of = read(&dated);
        for (tag, wanted) in [
            (Tag::DateTimeOriginal, "2026-11-21 08:31:05"),
            (Tag::OffsetTimeOriginal, "\"+08:00\""),
            (Tag::SubSecTimeOriginal, "\"120\""),
            (Tag::GPSLatitude, "31 deg 6 min 44.8441 sec N"),
            (Tag::GPSLongitude, "121 deg 22 min 34.0442 sec E"),
            (Tag::GPSHPositioningError, "2.8 m"),
            (Tag::GPSMapDatum, "\"WGS-84\""),
            (Tag::GPSDateStamp, "2026-11-21"),
            (Tag::ImageUniqueID, "\"0192b5f3a1c84e0b9d5f3a1c84e0b9d5\""),
            (Tag::Model, "\"mh-xz-017\""),
        ] {
            assert_eq!(of(tag).as_deref(), Some(wanted), "{tag}");
        }
        assert_eq!(Picture::of_jpeg(&dated).unwrap(), Picture::of_jpeg(&jpeg).unwrap(), "the same pixels");
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let jpeg = Picture::filled(16, 16, [0; 3]).jpeg(80).unwrap();
        let bare = Exif { taken: None, place: None, ..full() };
        let of = read(&with_exif(&jpeg, &bare));
        assert_eq!((of(Tag::DateTimeOriginal), of(Tag::GPSLatitude)), (None, None));
        assert!(of(Tag::UserComment).is_some() && of(Tag::ImageUniqueID).is_some());
        let south =
            Exif { place: Some(ExifPlace { lon_deg: -0.5, lat_deg: -33.9, accuracy_m: None }), ..full() };
        let of = read(&with_exif(&jpeg, &south));
        assert_eq!(of(Tag::GPSLatitude).as_deref(), Some("33 deg 54 min 0 sec S"));
        assert_eq!(of(Tag::GPSHPositioningError), None);
    }

    #[test]
    fn texts_of_strangers_are_cut_and_what_is_no_jpeg_stays_as_it_is() {
        let jpeg = Picture::filled(16, 16, [0; 3]).jpeg(80).unwrap();
        let long = Exif { model: "é".repeat(900), comment: "x".repeat(90_000), ..full() };
        let dated = with_exif(&jpeg, &long);
        assert!(dated.len() < jpeg.len() + 2000);
        assert!(read(&dated)(Tag::UserComment).is_some());
        for hostile in [b"".as_slice(), b"\xff", b"\xff\xd8\xff\xe0\xff\xff", b"picture"] {
            assert_eq!(with_exif(hostile, &full()), hostile);
        }
        assert!(with_exif(b"\xff\xd8\xff\xda", &full()).ends_with(b"\xff\xda"));
    }
}
