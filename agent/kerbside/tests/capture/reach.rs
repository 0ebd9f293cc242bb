//! How a camera is reached: every quirk of the table is watched, or its reason has a name and a cure.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_media::{CaptureSettings, Notice, Pace};
use kerbside_site::config::{TlsTrust, Transport};
use kerbside_testkit::rtsp::{Camera, CameraFault, Codec, Film, Login, Quirk, Scheme};
use kerbside_testkit::{MjpegCamera, certificates, certificates_of};

use super::support::{Seen, setup, watch};

/// Three seconds of a moving picture, a key frame every second.
const INPUT: [&str; 6] = ["-f", "lavfi", "-t", "3", "-i", "testsrc=size=320x180:rate=10"];

static FILM: LazyLock<Arc<Film>> = LazyLock::new(|| film(Codec::H264));

fn film(codec: Codec) -> Arc<Film> {
    let dir = tempfile::tempdir().unwrap();
    Film::encode_as(codec, dir.path(), "film", &INPUT, "keyint=10:min-keyint=10").unwrap()
}

fn camera(quirks: Vec<Quirk>) -> Camera {
    Camera::odd(FILM.clone(), quirks).unwrap()
}

fn live(url: impl Into<String>) -> CaptureSettings {
    let (stall_after_s, restart_after_s) = (10.0, 20.0);
    CaptureSettings { stall_after_s, restart_after_s, ..setup(url, Pace::Live) }
}

fn must_watch(what: &str, settings: CaptureSettings) -> Seen {
    let seen = watch(settings, 5);
    assert_eq!(seen.states.last(), Some(&CameraState::Watching), "{what}: {:?} {:?}", seen.states, seen.why);
    assert!(seen.frames.len() >= 5, "{what}");
    let stream = seen.streams.last().unwrap();
    assert_eq!((stream.width, stream.height), (320, 180), "{what}");
    seen
}

/// The camera is off for this reason, and what is said of it holds these words and no secret.
fn must_fail(what: &str, settings: CaptureSettings, off: Off, words: &[&str]) {
    let seen = watch(settings, 1);
    let (state, why) = (seen.states.last(), seen.why.last().unwrap());
    assert_eq!(state, Some(&CameraState::Off(off)), "{what}: {why}");
    assert!(words.iter().all(|word| why.contains(word)), "{what}: {why}");
    assert!(!why.contains("SECRET9"), "{what}: {why}");
    assert!(off.cure().is_some(), "{what}");
}

#[test]
fn every_login_is_spoken_with_any_password() {
    use Scheme::{Basic, DigestEither, DigestMd5, DigestQop, DigestSha256};
    // As it is written in the url, and as the camera knows it.
    let passwords = [("pa#ss", "pa#ss"), ("a/b?c@d:e", "a/b?c@d:e"), ("50%25%E5%AF%86%22", "50%密\"")];
    for scheme in [Basic, DigestMd5, DigestQop, DigestSha256, DigestEither] {
        for (written, password) in passwords {
            let what = format!("{scheme:?} {password}");
            let camera = camera(vec![Quirk::Asks(Login::new(scheme, "admin", password))]);
            must_watch(&what, live(camera.url_with(&format!("admin:{written}@"))));
        }
    }
}

#[test]
fn a_wrong_password_a_wrong_path_and_the_rest_are_told_apart() {
    let asks = |scheme| vec![Quirk::Asks(Login::new(scheme, "admin", "right"))];
    for scheme in [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256] {
        let camera = camera(asks(scheme));
        must_fail("wrong", live(camera.url_with("admin:SECRET9@")), Off::Unauthorised, &["401"]);
        must_fail("none", live(camera.url()), Off::Unauthorised, &["401", "url has none"]);
    }
    let forbidden = camera(vec![Quirk::Forbidden]);
    must_fail("403", live(forbidden.url_with("admin:SECRET9@")), Off::Unauthorised, &["403"]);
    let missing = camera(vec![Quirk::NotFound]);
    must_fail("404", live(missing.url()), Off::NotFound, &["404"]);
    let nobody = kerbside_testkit::free_port().unwrap();
    must_fail(
        "nobody",
        live(format!("rtsp://admin:SECRET9@127.0.0.1:{nobody}/s1")),
        Off::Unreachable,
        &["refused"],
    );
    let silent = camera(Vec::new());
    silent.set(CameraFault::Silent);
    let settings = CaptureSettings { stall_after_s: 0.5, restart_after_s: 2.0, ..live(silent.url()) };
    must_fail("silent", settings, Off::Silent, &["nothing came"]);
    let codec = camera(Vec::new());
    codec.set(CameraFault::Announces("X-SECRET"));
    must_fail("codec", live(codec.url()), Off::WrongCodec, &[]);
    let web = MjpegCamera::start(&INPUT, 5, Vec::new()).unwrap();
    must_fail("HTTP", live(web.url().replace("http://", "rtsp://")), Off::Protocol, &[]);
}

#[test]
fn packets_come_over_tcp_or_udp_as_the_camera_wants() {
    let over = |quirk: Quirk, transport| {
        let camera = camera(vec![quirk]);
        (CaptureSettings { transport, ..live(camera.url()) }, camera)
    };
    let (settings, _camera) = over(Quirk::UdpOnly, Transport::Auto);
    must_watch("UDP only", settings);
    let (settings, _camera) = over(Quirk::UdpOnly, Transport::Udp);
    must_watch("UDP as told", settings);
    let (settings, _camera) = over(Quirk::UdpOnly, Transport::Tcp);
    must_fail("UDP only, TCP as told", settings, Off::Protocol, &["461", "transport = \"udp\""]);
    let (settings, _camera) = over(Quirk::TcpOnly, Transport::Udp);
    must_fail("TCP only, UDP as told", settings, Off::Protocol, &["461", "transport = \"tcp\""]);
}

#[test]
fn a_tls_camera_gets_the_password_only_if_its_certificate_convinces() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    certificates(dir.path(), &["camera"]).unwrap();
    certificates_of(dir.path(), "DNS:wrong.example", &["other"]).unwrap();
    let login = Login::new(Scheme::Basic, "admin", "SECRET9");
    let secured = |name: &str| {
        let tls = Quirk::Tls(at(&format!("{name}.pem")), at(&format!("{name}.key")));
        camera(vec![tls, Quirk::Asks(login.clone())])
    };
    let (camera, other) = (secured("camera"), secured("other"));
    let by = |camera: &Camera, tls| CaptureSettings { tls, ..live(camera.url_with("admin:SECRET9@")) };
    let fingerprint = |name: &str| TlsTrust::Fingerprint(fingerprint(&at(name)));
    must_watch("its authority", by(&camera, TlsTrust::CaFile(at("ca.pem"))));
    must_watch("its fingerprint", by(&camera, fingerprint("camera.pem")));
    must_watch("another name, its fingerprint", by(&other, fingerprint("other.pem")));
    must_watch("nobody", by(&other, TlsTrust::Nobody));
    let (of_camera, of_other) = (camera.requests().len(), other.requests().len());
    let shown = self::fingerprint(&at("camera.pem"));
    must_fail("unknown authority", by(&camera, TlsTrust::System), Off::Certificate, &[&shown]);
    must_fail(
        "other certificate",
        by(&camera, fingerprint("other.pem")),
        Off::Certificate,
        &[&shown, "tls_fingerprint"],
    );
    must_fail("other name", by(&other, TlsTrust::CaFile(at("ca.pem"))), Off::Certificate, &["name"]);
    assert_eq!((camera.requests().len(), other.requests().len()), (of_camera, of_other), "nothing was asked");
    let plain = self::camera(Vec::new());
    let settings =
        CaptureSettings { tls: TlsTrust::Nobody, ..live(plain.url().replace("rtsp://", "rtsps://")) };
    must_fail("no TLS at all", settings, Off::Protocol, &["TLS"]);

    let tls = Quirk::Tls(at("camera.pem"), at("camera.key"));
    let web = MjpegCamera::start(&INPUT, 5, vec![tls, Quirk::Asks(login)]).unwrap();
    let by = |tls| CaptureSettings { tls, ..live(web.url_with("admin:SECRET9@")) };
    must_watch("https", by(TlsTrust::CaFile(at("ca.pem"))));
    must_fail("https, unknown authority", by(TlsTrust::System), Off::Certificate, &[]);
}

/// SHA-256 of a certificate, by the system's openssl.
fn fingerprint(pem: &Path) -> String {
    let mut command = std::process::Command::new("openssl");
    let output =
        command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(pem).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().rsplit_once('=').unwrap().1.replace(':', "").to_lowercase()
}

#[test]
fn a_redirect_is_followed_on_the_cameras_own_host_alone() {
    let target = camera(vec![Quirk::Asks(Login::new(Scheme::DigestMd5, "admin", "SECRET9"))]);
    let same = camera(vec![Quirk::RedirectsTo(target.url())]);
    must_watch("same host", live(same.url_with("admin:SECRET9@")));
    // Another name for the same machine is another host, as far as anybody knows.
    let heard = target.requests().len();
    let elsewhere = camera(vec![Quirk::RedirectsTo(target.url().replace("127.0.0.1", "localhost"))]);
    must_fail(
        "elsewhere",
        live(elsewhere.url_with("admin:SECRET9@")),
        Off::Protocol,
        &["localhost", "not followed"],
    );
    assert_eq!(target.requests().len(), heard, "nobody was led there");
    let file = camera(vec![Quirk::RedirectsTo("file:///etc/passwd".into())]);
    must_fail("a file", live(file.url()), Off::Protocol, &["no stream"]);
    let web = MjpegCamera::start(&INPUT, 5, Vec::new()).unwrap();
    let moved = MjpegCamera::start(&INPUT, 5, vec![Quirk::RedirectsTo(web.url())]).unwrap();
    must_watch("HTTP, same host", live(moved.url()));
    let to = web.url().replace("127.0.0.1", "localhost");
    let moved = MjpegCamera::start(&INPUT, 5, vec![Quirk::RedirectsTo(to)]).unwrap();
    must_fail("HTTP, elsewhere", live(moved.url()), Off::Protocol, &["localhost"]);
}

/// All that this process logs.
static LOG: LazyLock<Arc<parking_lot::Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let log = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let kept = log.clone();
    let writer = move || Kept(kept.clone());
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer).init();
    log
});

struct Kept(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_address_of_a_redirect_arrives_whole_and_is_printed_without_its_secrets() {
    LazyLock::force(&LOG);
    let login = || Quirk::Asks(Login::new(Scheme::DigestMd5, "admin", "SECRET9"));
    let signed = format!("?token=a1&sign=SECRET9{}", "0123456789abcdef".repeat(40));
    // Over RTSP: by a token, by a login that stands in it, and only to who is logged in.
    let target = camera(vec![login()]);
    let heard = |camera: &Camera| camera.requests().iter().any(|request| request.ends_with(&signed));
    let moved = camera(vec![Quirk::RedirectsTo(target.url() + &signed)]);
    must_watch("a token", live(moved.url_with("admin:SECRET9@")));
    assert!(heard(&target), "{:?}", target.requests().last());
    let moved = camera(vec![Quirk::RedirectsTo(target.url_with("admin:SECRET9@") + &signed)]);
    must_watch("a login inside", live(moved.url()));
    let moved = camera(vec![login(), Quirk::RedirectsTo(target.url() + &signed)]);
    must_watch("behind a login", live(moved.url_with("admin:SECRET9@")));
    // And over HTTP.
    let web = MjpegCamera::start(&INPUT, 5, vec![login()]).unwrap();
    let moved = MjpegCamera::start(&INPUT, 5, vec![Quirk::RedirectsTo(web.url() + &signed)]).unwrap();
    must_watch("HTTP", live(moved.url_with("admin:SECRET9@")));
    assert!(web.requests().iter().any(|request| request.ends_with(&signed)), "{:?}", web.requests());
    // What fails behind a redirect, or is not followed, says so without a word of it.
    let missing = camera(vec![Quirk::NotFound]);
    let moved = camera(vec![Quirk::RedirectsTo(missing.url_with("admin:SECRET9@") + &signed)]);
    must_fail("behind it", live(moved.url()), Off::NotFound, &["404"]);
    for to in
        ["rtsp://admin:SECRET9@localhost:9/live", "rtsp://localhost:9/live", "ftp://admin:SECRET9@h/live"]
    {
        let moved = camera(vec![Quirk::RedirectsTo(to.to_owned() + &signed)]);
        must_fail(to, live(moved.url()), Off::Protocol, &["sends its viewers to"]);
    }
    let endless = format!("{}{}", target.url(), "/a".repeat(8000));
    let moved = camera(vec![Quirk::RedirectsTo(endless)]);
    must_fail("endless", live(moved.url_with("admin:SECRET9@")), Off::Protocol, &["not followed"]);
    let log = String::from_utf8_lossy(&LOG.lock()).into_owned();
    assert!(log.contains("not followed"), "nothing is logged");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("SECRET9")).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn an_http_camera_is_logged_in_to_and_its_refusals_have_names() {
    for scheme in [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256] {
        let asks = vec![Quirk::Asks(Login::new(scheme, "admin", "pa#ss"))];
        let camera = MjpegCamera::start(&INPUT, 5, asks).unwrap();
        let seen = must_watch("HTTP", live(camera.url_with("admin:pa#ss@")));
        assert_eq!(seen.streams[0].codec, "mjpeg");
        must_fail("wrong", live(camera.url_with("admin:SECRET9@")), Off::Unauthorised, &["401"]);
    }
    let missing = MjpegCamera::start(&INPUT, 5, vec![Quirk::NotFound]).unwrap();
    must_fail("404", live(missing.url()), Off::NotFound, &["404"]);
    let rtsp = camera(Vec::new());
    must_fail("RTSP", live(rtsp.url().replace("rtsp://", "http://")), Off::Protocol, &["HTTP"]);
    let nobody = kerbside_testkit::free_port().unwrap();
    must_fail("nobody", live(format!("http://127.0.0.1:{nobody}/v")), Off::Unreachable, &[]);
}

#[test]
fn parameter_sets_markers_and_codecs_may_be_anywhere() {
    must_watch("sets in both", live(camera(vec![Quirk::SetsInSdp]).url()));
    let only = camera(vec![Quirk::SetsOnlyInSdp]);
    assert!(!must_watch("sets outside alone", live(only.url())).streams[0].extradata.is_empty());
    must_watch("no marker", live(camera(vec![Quirk::NoMarker]).url()));
    let other = film(Codec::H265);
    for quirks in [Vec::new(), vec![Quirk::SetsInSdp], vec![Quirk::SetsOnlyInSdp]] {
        let camera = Camera::odd(other.clone(), quirks).unwrap();
        assert_eq!(must_watch("H.265", live(camera.url())).streams[0].codec, "hevc");
    }
}

#[test]
fn lost_packets_are_counted_once() {
    // Without markers a loss between two pictures may belong to either.
    let camera = camera(vec![Quirk::Loses(0.1), Quirk::NoMarker]);
    let seen = watch(live(camera.url()), 15);
    let lost =
        seen.notices.iter().filter_map(|n| if let Notice::Stats(s) = n { Some(s.lost) } else { None }).max();
    let lost = lost.unwrap_or_default();
    assert!((1..=camera.lost()).contains(&lost), "{lost} of {} were counted", camera.lost());
}

#[test]
fn a_camera_is_told_when_it_is_no_longer_watched() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let camera = camera(Vec::new());
        must_watch("it", CaptureSettings { transport, ..live(camera.url()) });
        camera.heard("TEARDOWN").unwrap();
    }
}

#[test]
fn a_file_is_played_whatever_its_name_looks_like() {
    let dir = tempfile::tempdir().unwrap();
    for name in
        ["2026-11-27T10:00:00.mp4", "http:foo.mp4", "-i.mp4", "a b.mp4", "街口.mp4", "pipe:0", "concat:a|b"]
    {
        let path = dir.path().join(name);
        std::fs::copy(super::support::bag_left(), &path).unwrap();
        let url = kerbside_media::url::of_file(Path::new(&path));
        let seen = watch(CaptureSettings { url, ..setup("", Pace::Lockstep) }, 3);
        assert!(seen.frames.len() >= 3, "{name}: {:?}", seen.why);
    }
}

/// Watches until the source was to be replaced so many times.
struct Restarts {
    left: u32,
    stopper: Option<crossbeam_channel::Sender<std::convert::Infallible>>,
    states: Vec<CameraState>,
    why: Vec<String>,
    /// Each process greets once.
    processes: u32,
}

impl kerbside_media::FrameSink for Restarts {
    fn frame(&mut self, _: kerbside_domain::frame::Frame) -> kerbside_domain::frame::Level {
        kerbside_domain::frame::Level::L1
    }

    fn state(&mut self, _: kerbside_domain::time::Moment, state: CameraState, why: &str) {
        self.states.push(state);
        self.why.push(why.to_owned());
    }

    fn notice(&mut self, _: kerbside_domain::time::Moment, notice: &Notice) {
        self.processes += u32::from(matches!(notice, Notice::Confined(_)));
        if matches!(notice, Notice::Restarting { .. }) {
            self.left -= 1;
            if self.left == 0 {
                self.stopper = None;
            }
        }
    }

    fn tick(&mut self, _: kerbside_domain::time::Moment) -> kerbside_domain::frame::Level {
        kerbside_domain::frame::Level::L1
    }
}

#[test]
fn a_camera_that_nobody_answers_for_costs_one_process_and_not_one_a_try() {
    use kerbside_media::FrameSource as _;
    let nobody = kerbside_testkit::free_port().unwrap();
    let settings = live(format!("rtsp://127.0.0.1:{nobody}/s1"));
    let clock = Arc::new(kerbside_domain::time::SystemClock::new());
    let ring = Arc::new(parking_lot::Mutex::new(kerbside_media::PacketRing::new(1.0, 1 << 20)));
    let (stopper, stop) = crossbeam_channel::bounded(0);
    let (states, why) = (Vec::new(), Vec::new());
    let mut restarts = Restarts { left: 3, stopper: Some(stopper), states, why, processes: 0 };
    kerbside_media::CaptureSession::new(settings, clock, ring).run(&mut restarts, &stop);
    let unreachable = [CameraState::Off(Off::Connecting), CameraState::Off(Off::Unreachable)];
    assert_eq!(restarts.states, unreachable, "{:?}", restarts.why);
    assert_eq!(restarts.processes, 1, "three tries, one process");
}
