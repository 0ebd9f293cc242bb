//! What a try at a camera shows, as `doctor` makes it.

use kerbside_media::parent::{CameraTrouble, try_camera};
use kerbside_media::{CameraWarning, ClockFault, Walls};
use kerbside_site::config::{self, Confine};
use kerbside_testkit::rtsp::{Camera, Codec, Film, Quirk};

use super::support::kerbside;

/// A film as long as a try may take, a key frame every second.
const INPUT: [&str; 6] = ["-f", "lavfi", "-t", "20", "-i", "testsrc=size=320x180:rate=10"];

fn site(url: &str) -> config::Site {
    let text = format!(
        r#"
schema = 1
[device]
edge_id = "a"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1"
[[camera]]
id = "cam1"
url = "{url}"
"#
    );
    config::parse(&text, std::path::Path::new("site.toml")).unwrap()
}

#[test]
fn a_try_names_a_clock_that_stands_and_nothing_of_a_usual_camera() {
    let dir = tempfile::tempdir().unwrap();
    let film = Film::encode_as(Codec::H264, dir.path(), "film", &INPUT, "keyint=10:min-keyint=10").unwrap();
    for (quirks, warnings) in
        [(vec![], vec![]), (vec![Quirk::ClockStands], vec![CameraWarning::Clock(ClockFault::Stands)])]
    {
        let camera = Camera::odd(film.clone(), quirks).unwrap();
        let site = site(&camera.url());
        let seen = try_camera(&site.cameras[0], kerbside()).unwrap();
        assert_eq!((seen.what.as_str(), seen.warnings), ("pictures come: h264 320x180", warnings));
    }
}

/// What the site demands of confinement counts for a try too: this one's child says nothing of a cell.
#[test]
fn a_try_is_made_within_the_walls_of_the_site() {
    let walls = Walls { demand: Confine::Required, newest_abi: 0, ..Walls::default() };
    let site = site("rtsp://127.0.0.1:9/1");
    let CameraTrouble { why, .. } =
        try_camera(&site.cameras[0], kerbside().with_walls(walls.clone())).unwrap_err();
    assert!(why.contains("confin"), "{why}");
    // The control: without the demand it comes as far as the camera.
    let free = Walls { demand: Confine::BestEffort, ..walls };
    let CameraTrouble { why, .. } = try_camera(&site.cameras[0], kerbside().with_walls(free)).unwrap_err();
    assert!(!why.contains("confin"), "{why}");
}
