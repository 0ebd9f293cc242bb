//! What each camera shows, and what is to be put right about it: by a try, and by what a running agent has found.

use std::collections::BTreeMap;

use kerbside_domain::camera_state::CameraState;
use kerbside_media::Walls;
use kerbside_media::parent::{CameraSeen, CameraTrouble};
use kerbside_site::config::{Camera, Site, Zone};
use kerbside_site::geo::smallest;
use serde_json::Value;

use super::finding::{Area, Finding};
use super::network;

/// What a camera shows a child within these walls, or why it shows nothing.
pub type TryCamera = fn(&Camera, Walls) -> Result<CameraSeen, CameraTrouble>;

/// Where a state has no cure of its own.
const LOOK_AT_LOG: (&str, &str) =
    ("docs/en/operate/faults.md has every state", "各状态见 docs/zh-CN/operate/faults.md");

/// All at once: a camera that does not answer costs the others no time. `walls`: what the site says about children. `page`: of the
/// agent that runs here.
pub(super) fn check(
    site: &Site,
    try_camera: Option<TryCamera>,
    walls: &Walls,
    page: Option<&Value>,
) -> Vec<Finding> {
    let try_camera = try_camera.map(|try_camera| move |camera: &Camera| try_camera(camera, walls.clone()));
    std::thread::scope(|scope| {
        let try_camera = &try_camera;
        let of_camera = |camera| scope.spawn(move || one(camera, try_camera.as_ref(), page));
        let threads: Vec<_> = site.cameras.iter().map(of_camera).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

/// Whether it answers; if this program can watch it, also whether pictures come.
fn one(
    camera: &Camera,
    try_camera: Option<&impl Fn(&Camera) -> Result<CameraSeen, CameraTrouble>>,
    page: Option<&Value>,
) -> Finding {
    let id = &camera.id;
    let answer = match network::camera(&camera.url) {
        Ok(answer) => answer,
        Err(fault) => return Finding::wrong(Area::Camera, format!("{id}: {}", fault.what), fault.remedy),
    };
    let mut warnings = known(page, id);
    let is_network = kerbside_media::url::is_network(&camera.url);
    let what = match try_camera.filter(|_| is_network).map(|try_camera| try_camera(camera)) {
        None => format!("{id}: {answer}{}", smallest_of(camera)),
        Some(Ok(seen)) => {
            warnings.extend(seen.warnings.into_iter().map(|w| {
                let (english, chinese) = w.cure();
                (w.as_str().to_owned(), (w.what(), format!("{english} ({chinese})")))
            }));
            format!("{id}: {answer}; {}{}", seen.what, smallest_of(camera))
        }
        Some(Err(CameraTrouble { state, why })) => {
            let (english, chinese) = match state {
                CameraState::Off(off) => off.cure().unwrap_or(LOOK_AT_LOG),
                CameraState::Blind(_) | CameraState::Watching => LOOK_AT_LOG,
            };
            return Finding::wrong(Area::Camera, format!("{id}: {why}"), format!("{english} ({chinese})"));
        }
    };
    if warnings.is_empty() {
        return Finding::good(Area::Camera, what);
    }
    let (found, cures): (Vec<String>, Vec<String>) = warnings.into_values().unzip();
    Finding::advice(Area::Camera, format!("{what}; {}", found.join("; ")), cures.join("; "))
}

/// The smallest thing that each zone can report, where control points carry the picture to the ground.
fn smallest_of(camera: &Camera) -> String {
    let ground = camera.ground();
    let of_zone = |zone: &Zone| {
        let reach = smallest::of_zone(ground.as_ref()?, &zone.polygon_norm)?;
        Some(format!("; zone {}: {reach}", zone.id))
    };
    camera.zones.iter().filter_map(of_zone).collect()
}

/// What the running agent has found, by kind: what it is, and its cure.
fn known(page: Option<&Value>, id: &str) -> BTreeMap<String, (String, String)> {
    let found = page.and_then(|page| page["camera_warnings"][id].as_object());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_kind =
        |(kind, value): (&String, &Value)| (kind.clone(), (text(&value["what"]), text(&value["cure"])));
    found.into_iter().flatten().map(of_kind).collect()
}
