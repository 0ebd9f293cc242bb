//! What the address of a camera says about it.

/// The camera is reached over a network.
pub fn is_network(url: &str) -> bool {
    ["rtsp://", "rtsps://", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The camera is a device or a pipeline: the program `kerbside-devices` reads it.
pub fn is_device(url: &str, opencv: bool) -> bool {
    opencv || url.starts_with("v4l2:") || url.starts_with("gst:")
}

/// The source plays to an end, instead of going on for ever.
pub fn is_file(url: &str) -> bool {
    !is_network(url) && !url.starts_with("v4l2:") && !url.starts_with("gst:")
}

/// The TCP port of a camera on a network.
pub(crate) fn tcp_port(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = match scheme {
        "rtsp" => 554,
        "rtsps" => 322,
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    // A password may hold anything; what is behind the last @ before the path is the host.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host);
    let port = host.rsplit_once(':').filter(|(before, _)| !before.starts_with('[') || before.ends_with(']'));
    Some(port.and_then(|(_, port)| port.parse().ok()).unwrap_or(usual))
}

/// The name of the host is asked for by multicast, through a local service.
#[cfg(feature = "camera")]
pub(crate) fn is_multicast_name(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split(['/', '?', '#', ':']).next().is_some_and(|host| host.ends_with(".local"))
}

/// The url without user and password, for logs and reports.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_string() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_logs() {
        let urls = ["rtsp://u:p@w@10.0.0.2:554/a@b", "rtsp://10.0.0.2/a", "clips/a.mp4"].map(redacted);
        assert_eq!(urls, ["rtsp://***@10.0.0.2:554/a@b", "rtsp://10.0.0.2/a", "clips/a.mp4"]);
    }

    #[test]
    fn the_port_of_a_camera_is_found_behind_any_password() {
        let ports = [
            ("rtsp://10.0.0.2/a", Some(554)),
            ("rtsp://10.0.0.2:8554/a:9", Some(8554)),
            ("rtsps://u:p#1:2/3@cam:8322/a", Some(8322)),
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
    }
}
