//! What the address of a camera says about it. It is read by `kerbside_site::camera_url`, and nowhere else.

use std::path::{Path, PathBuf};

pub use kerbside_site::camera_url::hide_url as redacted;
use kerbside_site::camera_url::{CameraUrl, NetworkUrl};

/// The camera is reached over a network.
pub fn is_network(url: &str) -> bool {
    network(url).is_some()
}

/// The camera is a device or a pipeline: the program `kerbside-devices` reads it.
pub fn is_device(url: &str, opencv: bool) -> bool {
    opencv || matches!(CameraUrl::parse(url), Ok(CameraUrl::Device(_) | CameraUrl::Pipeline(_)))
}

/// The source plays to an end, instead of going on for ever.
pub fn is_file(url: &str) -> bool {
    matches!(CameraUrl::parse(url), Ok(CameraUrl::File(_)))
}

/// The path of a file that is played.
pub(crate) fn file(url: &str) -> Option<PathBuf> {
    match CameraUrl::parse(url) {
        Ok(CameraUrl::File(path)) => Some(path),
        _ => None,
    }
}

/// The address of a file, whatever its name looks like.
pub fn of_file(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// The parts of a network camera's address.
pub(crate) fn network(url: &str) -> Option<NetworkUrl> {
    match CameraUrl::parse(url) {
        Ok(CameraUrl::Network(network)) => Some(network),
        _ => None,
    }
}

/// The TCP port of a camera on a network.
pub(crate) fn tcp_port(url: &str) -> Option<u16> {
    network(url).map(|network| network.port)
}

/// The name of the host is asked for by multicast, through a local service.
#[cfg(feature = "camera")]
pub(crate) fn is_multicast_name(url: &str) -> bool {
    network(url).is_some_and(|network| network.host.ends_with(".local"))
}

/// What FFmpeg opens for a path. Without the name of the protocol it would take `10:30.mp4` for one.
#[cfg(feature = "camera")]
pub(crate) fn for_ffmpeg(path: &Path) -> String {
    of_file(path)
}

/// A text without the secrets of the camera that it is about, and of any other.
pub(crate) fn hide(text: &str, url: &str) -> String {
    let mut text = text.replace(url, &redacted(url));
    for secret in network(url).map(|network| network.secrets()).unwrap_or_default() {
        // A shorter one is a part of many words; within an address it is hidden all the same.
        if secret.chars().count() >= SHORTEST_SECRET {
            text = text.replace(&secret, "***");
        }
    }
    kerbside_site::camera_url::hide_text(&text)
}

/// Characters of a password from which on it is searched for in a text.
const SHORTEST_SECRET: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_logs() {
        let urls = ["rtsp://u:p@w@10.0.0.2:554/a@b", "rtsp://10.0.0.2:554/a", "clips/a.mp4"].map(redacted);
        assert_eq!(urls, ["rtsp://***@10.0.0.2:554/a@b", "rtsp://10.0.0.2:554/a", "clips/a.mp4"]);
        let url = "rtsp://admin:se#cret@10.0.0.2/s1";
        let text = "rtsp://admin:se%23cret@10.0.0.2:554/s1: user admin, password se#cret: refused";
        let hidden = hide(text, url);
        assert!(!hidden.contains("cret") && hidden.ends_with("refused"), "{hidden}");
    }

    #[test]
    fn the_port_of_a_camera_is_found_behind_any_password() {
        let ports = [
            ("rtsp://10.0.0.2/a", Some(554)),
            ("rtsp://10.0.0.2:8554/a:9", Some(8554)),
            ("rtsps://u:p#1:2/3@cam.local:8322/a", Some(8322)),
            ("rtsps://cam/a", Some(322)),
            ("http://[fe80::1]:8080/v", Some(8080)),
            ("https://[fe80::1]/v", Some(443)),
            ("clips/a.mp4", None),
            ("gst:rtspsrc location=rtsp://a:1/b", None),
        ];
        for (url, port) in ports {
            assert_eq!(tcp_port(url), port, "{url}");
        }
    }

    #[test]
    fn sources_are_told_apart_by_their_url() {
        let kinds = ["rtsp://a/b", "https://a/b", "v4l2:/dev/video0", "gst:videotestsrc ! appsink", "a.mp4"]
            .map(|u| (is_network(u), is_file(u)));
        assert_eq!(kinds, [(true, false), (true, false), (false, false), (false, false), (false, true)]);
        assert!(is_file(&of_file(Path::new("v4l2:/dev/x"))) && is_file(&of_file(Path::new("rtsp://a/b"))));
    }
}
