//! What tests of several parts of the app share.

use std::path::Path;

use kerbside_site::config::Site;

/// A site with one camera, `clip`, whose file is not there. Its data lie in `dir`.
pub(crate) fn site(dir: &Path) -> Site {
    site_with(dir, "")
}

/// The same with tables behind its camera: the camera's zones, then others.
pub(crate) fn site_with(dir: &Path, more: &str) -> Site {
    let text = r#"
schema = 1
[device]
edge_id = "mh-xz-017"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1:1"
[[camera]]
id = "clip"
url = "no-such-clip.mp4"
"#;
    let path = dir.join("site.toml");
    std::fs::write(&path, format!("{text}{more}")).unwrap();
    kerbside_site::config::load(&path).unwrap()
}
