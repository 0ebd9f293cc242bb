//! Sheets, close-ups and masks of the stage, with a clip maker that writes true JPEGs and a network that is a script.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::evidence::{EvidenceItem, EvidenceRequest, EvidenceRole, IncidentFacts};
use kerbside_domain::frame::BBox;
use kerbside_media::clip::{ClipJob, ClipMaker, ClipOutput};
use kerbside_sheet::Picture;
use kerbside_sheet::picture::PixelRect;

use super::tests::{request, ring, stage};
use super::*;
use crate::app::tests::site_with;

/// Where somebody stands in every picture, in shares of it.
const PERSON: BBox = BBox { x: 0.3, y: 0.2, w: 0.06, h: 0.4 };
const THING: BBox = BBox { x: 0.4, y: 0.5, w: 0.1, h: 0.1 };

/// A street of noise, in which the person is the finest pattern there is. A crop shows its part.
fn street(job: &ClipJob) -> ClipOutput {
    for still in &job.stills {
        let mut state = 7u32;
        let mut rgb = Vec::new();
        for i in 0..640u32 * 360 {
            let (x, y) = (i % 640, i / 640);
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let person = PixelRect::of(&PERSON, 640, 360);
            let inside = (person.x..person.x + person.width).contains(&x)
                && (person.y..person.y + person.height).contains(&y);
            let sample = if inside { ((x / 4 + y / 4) % 2 * 255) as u8 } else { 100 + (state >> 28) as u8 };
            rgb.extend([sample; 3]);
        }
        let mut picture = Picture::of_rgb(640, 360, rgb).unwrap();
        if let Some(crop) = &still.crop {
            picture = picture.cut(&crop.window).unwrap();
            let height = crop.min_width * picture.height() / picture.width();
            picture =
                picture.scaled(crop.min_width.max(picture.width()), height.max(picture.height())).unwrap();
        }
        std::fs::write(&still.path, picture.jpeg(90).unwrap()).unwrap();
    }
    ClipOutput { clip: None, stills: job.stills.iter().map(|still| Ok(still.pts)).collect() }
}

/// Sees the person where it stands, in whatever part of the street it is shown; it knows the whole by its size.
fn sees_the_person() -> Finder {
    Box::new(|| {
        let look: Look = Box::new(|pictures| {
            let person =
                || Detection { label: "person".into(), group: Group::Person, confidence: 0.7, bbox: PERSON };
            let seen = |p: &&Picture| if p.width() == 640 { vec![person()] } else { Vec::new() };
            Ok(pictures.iter().map(seen).collect())
        });
        Ok(look)
    })
}

fn officer_of(dir: &std::path::Path, evidence: &str, finder: Finder) -> Officer {
    Officer::new(&site_with(dir, evidence), finder)
}

fn with(dir: &std::path::Path, evidence: &str, finder: Finder) -> Evidence {
    let make: ClipMaker = Box::new(|job| Ok(street(job)));
    let mut stage = stage(&dir.join("evidence"), ring(30.0, 20));
    stage.make_clip = make;
    stage.with_officer(officer_of(dir, evidence, finder))
}

fn opened() -> EvidenceRequest {
    let roles = vec![EvidenceRole::Before, EvidenceRole::Trigger];
    let facts = IncidentFacts { dwell_s: Some(63.0), ..IncidentFacts::default() };
    EvidenceRequest { bbox: THING, clip: None, roles, facts, ..request("01J", (0.0, 0.0)) }
}

fn item(made: &[kerbside_domain::evidence::EvidenceOutcome], id: &str) -> EvidenceItem {
    made[0].items.iter().find(|item| item.id == id).unwrap_or_else(|| panic!("{id} of {made:?}")).clone()
}

fn picture(dir: &std::path::Path, item: &EvidenceItem) -> Picture {
    Picture::of_jpeg(&std::fs::read(dir.join("evidence").join(&item.path)).unwrap()).unwrap()
}

/// How much changes from one pixel to the next, a pixel.
fn energy(picture: &Picture, region: &BBox) -> f64 {
    let rect = PixelRect::of(region, picture.width(), picture.height());
    let at =
        |x: u32, y: u32| i32::from(picture.rgb()[(y as usize * picture.width() as usize + x as usize) * 3]);
    let rows = rect.y..rect.y + rect.height;
    let sum: u64 = rows
        .flat_map(|y| (rect.x..rect.x + rect.width - 1).map(move |x| (x, y)))
        .map(|(x, y)| u64::from(at(x + 1, y).abs_diff(at(x, y))))
        .sum();
    sum as f64 / f64::from(rect.width * rect.height)
}

#[test]
fn an_incident_gets_a_close_up_and_a_masked_sheet_within_60_kb() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "", sees_the_person());
    let made = stage.request(opened());
    assert_eq!(made[0].shortfall, None);
    let close_up = item(&made, "r1-close_up");
    // 64 px of the stream: five times larger, and said so.
    assert!(close_up.enlarged.is_some_and(|factor| (factor - 5.0).abs() < 0.1) && !close_up.masked);
    let large = picture(dir.path(), &close_up);
    let window = kerbside_sheet::window::close_up(&THING, (640, 360));
    assert!(f64::from(THING.w / window.w) * f64::from(large.width()) >= 319.0, "{}", large.width());
    let sheet = item(&made, "r1-sheet");
    assert!(sheet.masked && sheet.bytes <= 60_000, "{} bytes", sheet.bytes);
    assert!(picture(dir.path(), &sheet).width() > kerbside_sheet::layout::WIDTH / 2);
    let manifest =
        std::fs::read_to_string(dir.path().join("evidence").join(&item(&made, "r1-manifest").path));
    let manifest: Manifest = serde_json::from_str(&manifest.unwrap()).unwrap();
    let masked: Vec<&str> = manifest.items.iter().filter(|i| i.masked).map(|i| i.id.as_str()).collect();
    assert_eq!(masked, ["r1-sheet"], "originals stay as they are");
    assert!(energy(&picture(dir.path(), &item(&made, "r1-trigger")), &PERSON) > 40.0);
}

#[test]
fn nobody_can_be_known_on_a_sheet() {
    // The upper left panel; a sheet that had to shrink has the same shape.
    let panel_of_place = |sheet: &Picture| {
        let (width, height) = kerbside_sheet::layout::PANEL;
        let (gap, w) = (kerbside_sheet::layout::GAP as f32, kerbside_sheet::layout::WIDTH as f32);
        let h = sheet.height() as f32 * w / sheet.width() as f32;
        let top = h - 2.0 * height as f32 - 3.0 * gap - 14.0;
        BBox { x: gap / w, y: top / h, w: width as f32 / w, h: height as f32 / h }
    };
    let head = BBox { h: PERSON.h * 0.28, ..PERSON };
    let energies = ["", "[evidence]\nmask = \"none\"\n"].map(|evidence| {
        let dir = tempfile::tempdir().unwrap();
        let mut stage = with(dir.path(), evidence, sees_the_person());
        let made = stage.request(opened());
        let sheet = item(&made, "r1-sheet");
        assert_eq!(sheet.masked, evidence.is_empty());
        let sheet = picture(dir.path(), &sheet);
        energy(&sheet, &head.within(&panel_of_place(&sheet)))
    });
    assert!(energies[0] * 4.0 < energies[1], "masked {} unmasked {}", energies[0], energies[1]);
}

#[test]
fn what_nobody_could_look_at_does_not_leave_as_a_sheet() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "", Box::new(|| Err("no street network".to_owned())));
    let made = stage.request(opened());
    assert!(made[0].items.iter().all(|item| item.role != EvidenceRole::Sheet));
    assert_eq!(made[0].shortfall.as_deref(), Some("sheet: it could not be masked: no street network"));
    assert!(made[0].items.iter().any(|item| item.role == EvidenceRole::CloseUp), "the rest is there");
    let mut open = with(dir.path(), "[evidence]\nmask = \"none\"\n", Box::new(|| panic!("nobody asks")));
    assert_eq!(open.request(EvidenceRequest { revision: 2, ..opened() })[0].shortfall, None);
}

#[test]
fn where_only_masked_pictures_leave_each_has_a_masked_copy() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "[evidence]\nmask = \"all\"\n", sees_the_person());
    let made = stage.request(opened());
    for id in ["r1-before-masked", "r1-trigger-masked", "r1-close_up-masked", "r1-sheet"] {
        let item = item(&made, id);
        assert!(item.masked && (id == "r1-sheet" || item.path.ends_with("-masked.jpg")), "{item:?}");
    }
    let head = BBox { h: PERSON.h * 0.28, ..PERSON };
    let [original, copy] =
        ["r1-trigger", "r1-trigger-masked"].map(|id| energy(&picture(dir.path(), &item(&made, id)), &head));
    assert!(copy * 10.0 < original, "{copy} {original}");
}

/// Of the head the close-up shows a corner, in which no network sees a person.
#[test]
fn a_masked_close_up_hides_whom_only_the_whole_picture_shows() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "[evidence]\nmask = \"all\"\n", sees_the_person());
    let thing = BBox { x: 0.33, y: 0.28, w: 0.1, h: 0.1 };
    let made = stage.request(EvidenceRequest { bbox: thing, ..opened() });
    let window = kerbside_sheet::window::close_up(&thing, (640, 360));
    let head = BBox { h: PERSON.h * 0.28, ..PERSON };
    let shown = kerbside_sheet::window::in_window(&head, &window).clamped();
    assert!(shown.area() > 0.01, "the close-up shows a part of it: {shown:?}");
    let [original, copy] = ["r1-close_up", "r1-close_up-masked"]
        .map(|id| energy(&picture(dir.path(), &item(&made, id)), &shown));
    assert!(copy * 4.0 < original, "{copy} {original}");
}

/// A close-up whose whole picture is not there: nobody knows who is cut off at its edge.
#[test]
fn a_close_up_without_its_whole_picture_does_not_leave() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "[evidence]\nmask = \"all\"\n", sees_the_person());
    stage.make_clip = Box::new(|job| {
        let mut output = street(job);
        let whole = job.stills.iter().zip(&mut output.stills).filter(|(still, _)| still.crop.is_none());
        whole.for_each(|(_, made)| *made = Err("a fault of the child".to_owned()));
        Ok(output)
    });
    let made = stage.request(opened());
    let ids: Vec<&str> = made[0].items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["r1-close_up", "r1-manifest"]);
    let said = made[0].shortfall.as_deref().unwrap();
    assert!(said.contains("its whole picture is not there"), "{said}");
}

#[test]
fn the_networks_are_made_ready_once_a_request_and_go_with_it() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let (loaded, here) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    let (count, alive) = (loaded.clone(), here.clone());
    let finder: Finder = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let alive = alive.clone();
        let look: Look = Box::new(move |pictures| {
            let _ = &alive;
            Ok(vec![Vec::new(); pictures.len()])
        });
        Ok(look)
    });
    let mut stage = with(dir.path(), "[evidence]\nmask = \"all\"\n", finder);
    for revision in [1, 2] {
        let made = stage.request(EvidenceRequest { revision, ..opened() });
        assert_eq!(made[0].shortfall, None);
        assert_eq!((loaded.load(Ordering::Relaxed), Arc::strong_count(&here)), (revision as usize, 2));
    }
}

#[test]
fn the_sheet_of_a_sensor_s_incident_is_where_the_sensor_is() {
    let dir = tempfile::tempdir().unwrap();
    let sensors = "[sensors]\nbroker = \"mqtt://127.0.0.1\"\n[[sensor]]\nid = \"smoke-1\"\nkind = \"smoke\"\n\
                   topic = \"sensors/smoke-1\"\nunit = \"ppm\"\npoint = [121.3755, 31.1115]\n";
    let officer = officer_of(dir.path(), sensors, sees_the_person());
    let facts = IncidentFacts { sensor: Some("smoke-1".into()), ..IncidentFacts::default() };
    let place = officer.place(&EvidenceRequest { facts, ..opened() }).unwrap();
    assert_eq!((place.lon_deg, place.lat_deg), (121.3755, 31.1115));
    assert_eq!(place.method, kerbside_site::place::Method::Sensor);
}

#[test]
fn after_clearing_the_sheet_compares_the_thing_with_its_empty_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "", sees_the_person());
    stage.request(opened());
    let case_no = Some("闵城管 2026-0417".into());
    let facts = IncidentFacts { is_gone: true, dwell_s: Some(300.0), case_no, sensor: None };
    let roles = vec![EvidenceRole::After];
    let made = stage.request(EvidenceRequest { revision: 4, roles, facts, before_at: None, ..opened() });
    assert_eq!(made[0].shortfall, None);
    let ids: Vec<&str> = made[0].items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["r4-after", "r4-sheet", "r4-manifest"]);
}

#[test]
fn pictures_say_when_where_and_of_what_they_are() {
    use exif::{In, Reader, Tag};
    let dir = tempfile::tempdir().unwrap();
    let mut stage = with(dir.path(), "", sees_the_person());
    let clock = |request: EvidenceRequest| {
        let synced =
            |at| kerbside_domain::time::Moment { quality: kerbside_domain::time::ClockQuality::Ntp, ..at };
        EvidenceRequest { trigger_at: synced(request.trigger_at), ..request }
    };
    let made = stage.request(clock(opened()));
    for id in ["r1-before", "r1-trigger", "r1-close_up", "r1-sheet"] {
        let bytes = std::fs::read(dir.path().join("evidence").join(&item(&made, id).path)).unwrap();
        let exif = Reader::new().read_from_container(&mut std::io::Cursor::new(&bytes)).unwrap();
        let of = |tag| exif.get_field(tag, In::PRIMARY).map(|f| f.display_value().to_string());
        assert!(of(Tag::GPSLatitude).is_some() && of(Tag::GPSHPositioningError).is_some(), "{id}");
        assert_eq!(of(Tag::ImageUniqueID).map(|id| id.len()), Some(34), "{id}");
        let comment = exif.get_field(Tag::UserComment, In::PRIMARY).unwrap();
        let exif::Value::Undefined(comment, _) = &comment.value else { panic!("{comment:?}") };
        let comment = String::from_utf8_lossy(comment);
        assert!(
            comment.contains("set=01J revision=1") && comment.contains(&format!("file={id}.jpg")),
            "{comment}"
        );
    }
}
