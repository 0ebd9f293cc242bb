//! What was no incident: kept with its picture where there is time and the ring has it, and never in the way.

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::{Moment, Mono};
use kerbside_seeing::incident::refusal::{Fate, Thing};
use kerbside_seeing::incident::{Refusal, WhyNot};

use super::tests::{ring, stage};
use crate::why::{NoPicture, Picture, Shelf, read};

fn refusal(id: &str, at_s: f64, fate: Fate) -> Refusal {
    let at = Moment { mono: Mono::from_s(at_s), wall_ms: (at_s * 1000.0) as i64, ..Moment::default() };
    let bbox = BBox { x: 0.4, y: 0.6, w: 0.1, h: 0.1 };
    Refusal {
        id: id.to_owned(),
        camera: CameraIx(0),
        zone: "walk".into(),
        rule: "r".into(),
        thing: Thing { candidate: 1, region: Some(2), track: None, label: None, group: None, bbox },
        from: at,
        to: at,
        seen_at: at,
        why: WhyNot::Vacated,
        fate,
    }
}

#[test]
fn an_entry_has_its_picture_or_says_why_not_and_keeps_it_when_the_thing_goes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("why");
    let mut stage = stage(dir.path(), ring(20.0, 20)).with_shelf(Shelf::open(folder.clone()));
    let now = |s: f64| Mono::from_s(s);
    stage.refused(&refusal("pictured", 15.0, Fate::Standing), now(20.0), false);
    stage.refused(&refusal("too soon", 15.0, Fate::Standing), now(21.0), false);
    stage.refused(&refusal("others wait", 15.0, Fate::Standing), now(30.0), true);
    stage.refused(&refusal("long ago", 300.0, Fate::Standing), now(40.0), false);
    stage.refused(&refusal("pictured", 16.0, Fate::Gone), now(50.0), false);
    stage.refused(&refusal("others wait", 15.0, Fate::Gone), now(60.0), false);
    let kept: Vec<(String, Picture, Fate)> =
        read(&folder).into_iter().map(|e| (e.id, e.picture, e.fate)).collect();
    let none = |why| Picture::None(why);
    assert_eq!(
        kept,
        [
            ("pictured".into(), Picture::File("0000000000.jpg".into()), Fate::Gone),
            ("too soon".into(), none(NoPicture::Busy), Fate::Standing),
            ("others wait".into(), Picture::File("0000000002.jpg".into()), Fate::Gone),
            ("long ago".into(), none(NoPicture::NotInRing), Fate::Standing),
        ]
    );
    assert_eq!(std::fs::read_to_string(folder.join("0000000000.jpg")).unwrap(), "picture 15.0");
    assert_eq!(stage.counters().shelf.pictures, 2);
}

#[test]
fn its_picture_is_cut_out_around_the_thing() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = stage(dir.path(), ring(20.0, 20)).with_shelf(Shelf::open(dir.path().join("why")));
    let (told, crops) = crossbeam_channel::bounded(1);
    let mut make = std::mem::replace(&mut stage.make_clip, Box::new(|_| Err("none".into())));
    stage.make_clip = Box::new(move |job| {
        told.send(job.stills[0].crop).unwrap();
        make(job)
    });
    let refusal = refusal("pictured", 15.0, Fate::Standing);
    stage.refused(&refusal, Mono::from_s(20.0), false);
    let window = crops.recv().unwrap().expect("a part").window;
    let inside = kerbside_sheet::window::in_window(&refusal.thing.bbox, &window);
    assert!(window.w < 0.5 && inside.x > 0.0 && inside.y > 0.0 && inside.x + inside.w < 1.0, "{window:?}");
}
