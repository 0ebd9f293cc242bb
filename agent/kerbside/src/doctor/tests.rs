//! The findings of the doctor on machines that the tests prepare.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use expect_test::expect;

use super::*;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::VirtualClock;
use kerbside_media::parent::CameraSeen;
use kerbside_media::{CameraWarning, ClockFault};
use kerbside_site::config::Camera;

#[test]
fn findings_are_rendered_worst_last_with_a_summary_in_both_languages() {
    let findings = [
        Finding::wrong(
            Area::Centre,
            "centre.example:8883: connection refused",
            "check cable, SIM and firewall",
        ),
        Finding::good(Area::Configuration, "site.toml is accepted"),
        Finding::advice(Area::Model, "no model is configured", "set street in [models]"),
    ];
    expect![[r#"
        ✓ configuration (配置): site.toml is accepted
        ! model (检测模型): no model is configured
            → set street in [models]
        ✗ centre (联动中心): centre.example:8883: connection refused
            → check cable, SIM and firewall

        1 wrong, 1 to look at.  1 项错误，1 项请留意。
    "#]]
    .assert_eq(&render(&findings));
    assert_eq!((exit_code(&findings), exit_code(&findings[1..])), (70, 0));
    assert!(render(&findings[1..2]).ends_with("\nAll is well.  一切正常。\n"));
}

/// Answers one connection with `answer` and gives its address.
fn host(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0u8; 512];
        let n = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..n]).into_owned()
    });
    (address, thread)
}

#[test]
fn a_camera_is_asked_for_its_options_and_its_password_is_never_shown() {
    let (address, thread) = host("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n");
    let answer = network::camera(&format!("rtsp://viewer:s@cret@{address}/stream2")).unwrap();
    assert_eq!(answer, "answers RTSP (401 Unauthorized)");
    let request = thread.join().unwrap();
    assert!(request.starts_with(&format!("OPTIONS rtsp://{address}/stream2 RTSP/1.0\r\n")), "{request}");
    assert!(!request.contains("s@cret"));
}

#[test]
fn a_web_server_is_no_camera() {
    let (address, thread) = host("HTTP/1.1 400 Bad Request\r\n\r\n");
    let fault = network::camera(&format!("rtsp://{address}/x")).unwrap_err();
    assert_eq!(fault.what, format!("{address}: it answers, but not as RTSP"));
    assert!(fault.remedy.contains("RTSP"));
    thread.join().unwrap();
}

const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBoTCCAUegAwIBAgIUKwpOP7QPPExZOpG1oGujNXIahSAwCgYIKoZIzj0EAwIw
JjEQMA4GA1UECgwHRXhhbXBsZTESMBAGA1UEAwwJbWgteHotMDE4MB4XDTI2MTEy
MTE5MzUyMVoXDTI3MTEyMTE5MzUyMVowJjEQMA4GA1UECgwHRXhhbXBsZTESMBAG
A1UEAwwJbWgteHotMDE4MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEu86cud8O
ANjyOHai6QB+ElRlIr50aFrxRkpV1Rm8aAnEhQspIFHV50B30AIqpKZ1mPQzQtQl
m+2Jf5tafPrWeaNTMFEwHQYDVR0OBBYEFBk43kYt171ldUMJTj1QkOCOBcLPMB8G
A1UdIwQYMBaAFBk43kYt171ldUMJTj1QkOCOBcLPMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIgKRNn0Z152Q+CYTARo6SKTeefZd+z7jKo4b2ZCuKI
vXECIQDHDdiEpHyXoVtXGv5zhRee1kukCFC7bUVXlp3TLO85KA==
-----END CERTIFICATE-----
";

/// A site with TLS, its files beside it.
fn site_with_tls(edge_id: &str) -> (tempfile::TempDir, Site) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), CERTIFICATE).unwrap();
    std::fs::write(dir.path().join("box.pem"), CERTIFICATE).unwrap();
    std::fs::write(dir.path().join("box.key"), "nothing").unwrap();
    let text = format!(
        r#"
schema = 1
[device]
edge_id = "{edge_id}"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtts://127.0.0.1:1"
[centre.tls]
ca_file = "ca.pem"
cert_file = "box.pem"
key_file = "box.key"
[[camera]]
id = "clip"
url = "no-such-clip.mp4"
"#
    );
    let path = dir.path().join("site.toml");
    std::fs::write(&path, text).unwrap();
    let site = config::load(&path).unwrap();
    (dir, site)
}

fn certificate_levels(edge_id: &str, rfc3339: &str) -> Vec<Level> {
    let (_dir, site) = site_with_tls(edge_id);
    let wall_ms = chrono::DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_millis();
    certificates::check(&site, &*VirtualClock::new(wall_ms)).iter().map(|f| f.level).collect()
}

#[test]
fn certificates_are_read_for_date_and_name() {
    use Level::{Advice, Good, Wrong};
    // The key is none in every case.
    let cases = [
        ("mh-xz-018", "2027-03-01T00:00:00Z", [Good, Good, Wrong]),
        ("mh-xz-018", "2027-11-10T00:00:00Z", [Advice, Advice, Wrong]),
        ("mh-xz-018", "2028-01-01T00:00:00Z", [Wrong, Wrong, Wrong]),
        ("mh-xz-018", "2020-01-01T00:00:00Z", [Wrong, Wrong, Wrong]),
        ("mh-xz-017", "2027-03-01T00:00:00Z", [Good, Wrong, Wrong]),
    ];
    for (edge_id, time, levels) in cases {
        assert_eq!(certificate_levels(edge_id, time), levels, "{edge_id} {time}");
    }
}

#[test]
fn the_chain_of_the_evidence_is_read_for_key_and_date() {
    let (dir, site) = site_with_tls("mh-xz-018");
    let at = |now_s: i64| certificates::evidence_chain(&site, &*VirtualClock::new(now_s * 1000));
    let finding = at(0);
    assert!(finding.level == Level::Advice && finding.what.contains("no key yet"), "{finding:?}");

    std::fs::create_dir(&site.device.data_dir).unwrap();
    let key = SigningKey::create(&site.device.data_dir.join("box.key")).unwrap();
    let finding = at(0);
    assert!(finding.level == Level::Advice && finding.what.contains("the signer unknown"), "{finding:?}");

    let csr = dir.path().join("box.csr");
    std::fs::write(&csr, kerbside_c2pa::request(&key, None, "mh-xz-018").unwrap()).unwrap();
    kerbside_testkit::claim_certificate(dir.path(), &csr, "").unwrap();
    std::fs::copy(dir.path().join("chain.pem"), site.chain_file()).unwrap();
    let (begins_s, ends_s) = kerbside_c2pa::Chain::read(&site.chain_file()).unwrap().unwrap().validity_s();
    for (now_s, level, said) in [
        (ends_s + 1, Level::Wrong, "expired on "),
        (begins_s - 86_400, Level::Wrong, "not valid before "),
        (begins_s + 1, Level::Advice, "valid until "),
    ] {
        let finding = at(now_s);
        assert!(finding.level == level && finding.what.contains(said), "{now_s}: {finding:?}");
    }
    std::fs::copy(dir.path().join("middle.pem"), site.chain_file()).unwrap();
    let finding = at(begins_s + 1);
    assert!(
        finding.level == Level::Wrong && finding.what.contains("not for the key of this box"),
        "{finding:?}"
    );
}

#[test]
fn a_whole_examination_names_what_is_wrong() {
    let (dir, _) = site_with_tls("mh-xz-018");
    let hooks = Hooks {
        confinement: None,
        try_camera: None,
        versions: Some(|| vec![("libavcodec".into(), "59.37".into())]),
        load_model: Some(|_, _| Ok("street 1.0.0".into())),
    };
    let clock = VirtualClock::new(1_803_859_200_000);
    let mut checked = Vec::new();
    let findings =
        run(Some(&dir.path().join("site.toml")), &hooks, &*clock, |what| checked.push(what.to_owned()));
    assert_eq!(checked, ["machine", "disk", "model", "centre", "cameras"]);
    let wrong: Vec<&str> =
        findings.iter().filter(|f| f.level == Level::Wrong).map(|f| f.area.names().0).collect();
    // Nobody listens at port 1, the key is none, the clip is not there.
    for area in ["centre", "certificate", "camera"] {
        assert!(wrong.contains(&area), "{area} is not in {wrong:?}");
    }
    let disk = findings.iter().find(|f| f.area.names().0 == "disk").unwrap();
    assert!(disk.what.ends_with("(will be made) is writable and syncs"), "{disk:?}");
    assert!(std::fs::read_dir(dir.path()).unwrap().count() == 4, "the test file was left behind");
    assert!(findings.iter().any(|f| f.what == "libavcodec 59.37"));
}

const CAMERA: &str = r#"
schema = 1
[device]
edge_id = "mh-xz-018"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
confine = "required"
[centre]
url = "mqtt://127.0.0.1:1"
[health]
listen = "HEALTH"
[[camera]]
id = "cam1"
url = "rtsp://CAMERA/1"
"#;

/// What doctor says of the camera of such a site, and how far its children are confined, with an agent whose page says this.
fn camera_finding(page: &'static str, try_camera: TryCamera) -> (PathBuf, Finding, Finding) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.toml");
    let (camera, answered) = host("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    let (health, asked) = host(page);
    std::fs::write(&path, CAMERA.replace("CAMERA", &camera).replace("HEALTH", &health)).unwrap();
    let confinement: Confined =
        |site, walls| Err(format!("{site:?} {:?} {:?}", walls.demand, walls.keep_out));
    let hooks = Hooks { try_camera: Some(try_camera), confinement: Some(confinement), ..Hooks::default() };
    let findings = run(Some(&path), &hooks, &*VirtualClock::new(0), |_| {});
    answered.join().unwrap();
    asked.join().unwrap();
    let of = |area: Area| findings.iter().find(|f| f.area == area).unwrap().clone();
    (path, of(Area::Camera), of(Area::Confinement))
}

#[test]
fn a_camera_is_tried_within_the_walls_that_the_site_demands() {
    let seen = |_: &Camera, walls: Walls| {
        let what = format!("{:?} {:?}", walls.demand, walls.keep_out);
        Ok(CameraSeen { what, warnings: Vec::new() })
    };
    let (path, camera, confinement) = camera_finding("HTTP/1.1 200 OK\r\n\r\n{}", seen);
    for finding in [&camera, &confinement] {
        let path = path.to_str().unwrap();
        assert!(finding.what.contains("Required") && finding.what.contains(path), "{finding:?}");
    }
    assert!(confinement.what.starts_with(&format!("Some({path:?})")), "{confinement:?}");
    assert_eq!(camera.level, Level::Good);
}

#[test]
fn what_is_odd_about_a_camera_that_is_watched_stands_in_its_finding() {
    let quiet = |_: &Camera, _: Walls| Ok(CameraSeen { what: "pictures come".into(), warnings: Vec::new() });
    let odd = |_: &Camera, _: Walls| {
        let warnings = vec![CameraWarning::Clock(ClockFault::Stands)];
        Ok(CameraSeen { what: "pictures come".into(), warnings })
    };
    // By a try; and by the running agent, which listens longer.
    let page = "HTTP/1.1 200 OK\r\n\r\n{\"camera_warnings\":{\"cam1\":{\"clock\":{\"what\":\"its timestamps (they stand still)\",\
                \"cure\":\"turn NTP on in the camera\"}},\"cam2\":{\"ring\":{\"what\":\"x\",\"cure\":\"y\"}}}}";
    for (page, try_camera) in [("HTTP/1.1 200 OK\r\n\r\n{}", odd as TryCamera), (page, quiet), (page, odd)] {
        let (_, camera, _) = camera_finding(page, try_camera);
        assert_eq!(camera.level, Level::Advice, "{camera:?}");
        let once = camera.what.matches("they stand still").count() == 1;
        assert!(once && camera.what.contains("pictures come; "), "{camera:?}");
        assert!(camera.remedy.as_ref().unwrap().contains("NTP on in the camera"), "{camera:?}");
    }
}

#[test]
fn a_rejected_configuration_is_said_and_ends_the_examination() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.toml");
    std::fs::write(&path, "schema = 1\n").unwrap();
    let findings = run(Some(&path), &Hooks::default(), &*VirtualClock::new(0), |_| {});
    let last = findings.last().unwrap();
    assert_eq!(
        (last.level, last.what.as_str()),
        (Level::Wrong, format!("{}: 3 problem(s)", path.display()).as_str())
    );
    assert!(last.remedy.as_ref().unwrap().starts_with("kerbside check "));
}
