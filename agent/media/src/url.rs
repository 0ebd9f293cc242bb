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
    fn sources_are_told_apart_by_their_url() {
        let kinds = ["rtsp://a/b", "https://a/b", "v4l2:/dev/video0", "gst:videotestsrc ! appsink", "a.mp4"]
            .map(|u| (is_network(u), is_file(u)));
        assert_eq!(kinds, [(true, false), (true, false), (false, false), (false, false), (false, true)]);
    }
}
