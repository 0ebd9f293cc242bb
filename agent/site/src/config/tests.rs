//! The examples are accepted, every file of `edge-config/rejected` gives its exact text, nothing panics.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use kerbside_domain::kind::Kind;

use super::*;
use crate::geo::smallest;

fn edge_config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../edge-config")
}

/// A copy of the examples' folder in which the files they name exist, as on an installed box.
fn installed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("edge-config");
    for sub in ["codes", "grids", "secrets"] {
        std::fs::create_dir_all(config.join(sub)).unwrap();
    }
    std::fs::create_dir(dir.path().join("models")).unwrap();
    for file in ["one-camera.toml", "four-cameras.toml", "codes/matters.csv", "grids/example.geojson"] {
        std::fs::copy(edge_config().join(file), config.join(file)).unwrap();
    }
    for file in ["ca.pem", "box.pem", "box.key", "centre.password"] {
        std::fs::write(config.join("secrets").join(file), "").unwrap();
    }
    for model in ["street.toml", "waste.toml"] {
        std::fs::write(dir.path().join("models").join(model), "").unwrap();
    }
    dir
}

#[test]
fn the_example_for_one_camera_is_accepted_as_documented() {
    let dir = installed();
    let site = load(&dir.path().join("edge-config/one-camera.toml")).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(
        (site.centre.host.as_str(), site.centre.port, site.centre.protocol),
        ("127.0.0.1", 1883, Protocol::V5)
    );
    let camera = &site.cameras[0];
    assert_eq!((camera.ring_bytes, camera.backend, camera.analysis_width), (24 << 20, Backend::Auto, 640));
    let rule = &camera.zones[0].rules[1];
    assert_eq!(rule.kinds, [Kind::StallOccupying, Kind::StallMobileVendor]);
    assert_eq!(rule.schedule, [Hours { days: [true; 7], from_min: 420, to_min: 1260 }]);
    assert_eq!(rule.permits[0].hours.days, [false, false, false, false, false, true, true]);
    assert_eq!((rule.repeat_s, rule.clear_after_s, rule.sensitivity), (1800.0, 30.0, 5));
    assert!(site.evidence.clip && site.gnss.is_none() && site.codes.knows(Kind::BinOverflow));
}

#[test]
fn the_example_for_four_cameras_is_accepted() {
    let dir = installed();
    let site = load(&dir.path().join("edge-config/four-cameras.toml")).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(site.cameras.iter().map(|c| c.ix.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(site.cameras[3].backend, Backend::OpenCv);
    assert_eq!(site.cameras[0].control_points.len(), 7);
    let source = GnssSource::Gpsd("127.0.0.1:2947".into());
    assert_eq!(site.gnss, Some(Gnss { source, mobile: false }));
    assert_eq!(site.sensors.broker, Some(("127.0.0.1".into(), 1884)));
    assert_eq!(site.centre.keys[0].id, "ops-2026");
    assert!(site.centre.tls.unwrap().key_file.unwrap().ends_with("edge-config/secrets/box.key"));
}

#[test]
fn keys_have_scope_and_time_and_a_file_without_them_is_as_good_as_before() {
    let public = kerbside_crypto::sign::PublicKey::parse(&format!("ed25519:{}", "9b".repeat(32))).unwrap();
    let key = format!("[[centre.key]]\nid = \"ops\"\npublic = \"{public}\"\n");
    let site = |more: &str, centre: &str| {
        let text = MINIMAL.replace("[centre]\n", &format!("[centre]\n{centre}"));
        parse(&format!("{text}\n{key}{more}"), Path::new("site.toml"))
    };
    let old = site("", "").unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(old.centre.keys, [kerbside_crypto::sign::CentreKey::new("ops", public)]);
    assert!(!old.centre.signed_receipts && !old.centre.signed_cases);
    assert!(
        old.warnings.iter().any(|w| w.contains("has no end") && w.contains("may sign everything")),
        "{:?}",
        old.warnings
    );

    let of_now = site(
        "scope = [\"receipt\", \"recheck\"]\nnot_before = \"2026-01-01T00:00:00Z\"\nnot_after = \"2027-01-01T00:00:00Z\"\n",
        "require_signed = [\"receipt\", \"case\"]\n",
    );
    let of_now = of_now.unwrap_or_else(|p| panic!("{p}"));
    let key = &of_now.centre.keys[0];
    assert!(key.may_sign(&["receipt"]) && key.may_sign(&["recheck", "command"]) && !key.may_sign(&["grant"]));
    assert!(key.counts_at(1_780_000_000_000) && !key.counts_at(1_798_761_600_000) && !key.counts_at(0));
    assert!(of_now.centre.signed_receipts && of_now.centre.signed_cases);
    assert!(!of_now.warnings.iter().any(|w| w.contains("key")), "{:?}", of_now.warnings);
}

#[test]
fn what_goes_in_the_clear_or_lies_open_is_warned_of_and_no_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let text = |url: &str| MINIMAL.replace("mqtt://127.0.0.1", url);
    let warned = |text: &str| {
        parse(text, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}")).warnings.join("\n")
    };
    assert_eq!(warned(&text("mqtt://127.0.0.1")), "");
    let clear = warned(&text("mqtt://centre.example:1883"));
    assert!(clear.contains("every report goes to centre.example in the clear; write mqtts://"), "{clear}");
    let named = text("mqtt://centre.example:1883").replace("[centre]\n", "[centre]\nusername = \"u\"\n");
    assert!(warned(&named).contains("user, password and every report"), "{}", warned(&named));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let camera = MINIMAL.replace("clip.mp4", "rtsp://viewer:secret@192.168.1.64/1");
    let line = camera.lines().find(|l| l.starts_with("data_dir")).unwrap();
    std::fs::write(&file, camera.replace(line, &format!("data_dir = \"{}\"", data.display()))).unwrap();
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&file, 0o666);
    mode(&data, 0o755);
    let exposed = || load(&file).unwrap_or_else(|p| panic!("{p}")).warnings.join("\n");
    mode(dir.path(), 0o700);
    assert_eq!(exposed(), "", "nobody can come so far");
    mode(dir.path(), 0o711);
    for what in ["can change the site file; chmod o-w", "passwords of the cameras", "journal and evidence"] {
        assert!(exposed().contains(what), "{what}: {}", exposed());
    }
    mode(&file, 0o640);
    mode(&data, 0o750);
    assert_eq!(exposed(), "");

    // However a password is written, it is one; and the proxy has one too.
    let others_may_read = |camera: &str, centre: &str| {
        let text = MINIMAL.replace("clip.mp4", camera).replace("[centre]\n", &format!("[centre]\n{centre}"));
        std::fs::write(&file, text.replace(line, &format!("data_dir = \"{}\"", data.display()))).unwrap();
        mode(&file, 0o644);
        exposed()
    };
    for url in
        ["rtsp://viewer:a/b@192.168.1.64/1", "http://192.168.1.64/mjpg?token=abc", "rtsp://u:a#b@10.0.0.2/1"]
    {
        let warned = others_may_read(url, "");
        assert!(warned.contains("passwords of the cameras; chmod o-r"), "{url}: {warned}");
    }
    assert_eq!(others_may_read("rtsp://192.168.1.64/a:b@c", ""), "");
    let warned = others_may_read("clip.mp4", "proxy = \"http://u:secret@127.0.0.1:3128\"\n");
    assert!(warned.contains("password of the proxy; chmod o-r"), "{warned}");
}

#[test]
fn a_minimal_file_gets_the_documented_defaults() {
    let text = std::fs::read_to_string(edge_config().join("one-camera.toml")).unwrap();
    let documented = load(&installed().path().join("edge-config/one-camera.toml")).unwrap();
    // Keys whose value in the example is said to be the default.
    for key in ["protocol", "receipts", "keep_alive_s", "period_s", "min_watched_share", "workers", "listen"]
    {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
    let minimal = parse(MINIMAL, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}"));
    let (a, b) = (&documented.cameras[0], &minimal.cameras[0]);
    assert_eq!(
        (
            a.accuracy_m,
            a.analysis_fps,
            a.analysis_width,
            a.ring_s,
            a.ring_bytes,
            a.stall_after_s,
            a.restart_after_s
        ),
        (
            b.accuracy_m,
            b.analysis_fps,
            b.analysis_width,
            b.ring_s,
            b.ring_bytes,
            b.stall_after_s,
            b.restart_after_s
        )
    );
    let (a, b) = (&a.zones[0].rules[0], &b.zones[0].rules[0]);
    assert_eq!(
        (a.dwell_s, a.min_area_norm, a.sensitivity, a.repeat_s, a.clear_after_s),
        (b.dwell_s, b.min_area_norm, b.sensitivity, b.repeat_s, b.clear_after_s)
    );
    let (a, b) = (&documented.evidence, &minimal.evidence);
    assert_eq!(
        (a.max_bytes, a.max_age_days, a.min_free, a.pre_s, a.post_s, a.clip),
        (b.max_bytes, b.max_age_days, b.min_free, b.pre_s, b.post_s, b.clip)
    );
    assert_eq!(
        (documented.health.listen, documented.patrol.period_s),
        (minimal.health.listen, minimal.patrol.period_s)
    );
    assert_eq!(documented.device.utc_offset_s, minimal.device.utc_offset_s);
}

const MINIMAL: &str = r#"
schema = 1
[device]
edge_id = "a"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1"
[[camera]]
id = "c"
url = "clip.mp4"
[[camera.zone]]
id = "z"
polygon_norm = [[0, 0], [1, 0], [1, 1]]
[[camera.zone.rule]]
id = "r"
kinds = ["waste.exposed"]
"#;

#[test]
fn a_polygon_may_be_closed_as_in_geojson() {
    let closed = MINIMAL.replace("[1, 1]]", "[1, 1], [0, 0]]");
    let site = parse(&closed, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(site.cameras[0].zones[0].polygon_norm.len(), 3);
}

#[test]
fn an_earlier_name_of_a_key_is_read_with_a_warning() {
    let old =
        MINIMAL.replace("url = \"clip.mp4\"", "url = \"clip.mp4\"\nlooks_per_s = 2\n  look_width = 320");
    let site = parse(&old, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((site.cameras[0].analysis_fps, site.cameras[0].analysis_width), (2.0, 320));
    assert_eq!(
        site.warnings,
        [
            "site.toml:13:1: warning: `looks_per_s` is now called `analysis_fps`",
            "site.toml:14:3: warning: `look_width` is now called `analysis_width`",
        ]
    );
    let both = old.replace("looks_per_s = 2", "looks_per_s = 2\nanalysis_fps = 3");
    let problems = parse(&both, Path::new("site.toml")).unwrap_err();
    let only = problems.iter().next().unwrap();
    assert_eq!(only.what, "`looks_per_s` is an earlier name of `analysis_fps`, which is there too");
    assert!(parse(MINIMAL, Path::new("site.toml")).unwrap().warnings.is_empty());
}

#[test]
fn a_rule_that_asks_for_less_than_is_seen_is_warned_of() {
    let of = |more: &str| {
        let text = format!("{MINIMAL}{more}\n");
        parse(&text, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}")).warnings
    };
    let [warning] = &of("min_area_norm = 0.0002")[..] else { panic!("no warning") };
    assert!(warning.contains("a dark thing is reported from 0.00046 of the picture on"), "{warning}");
    assert!(of("min_area_norm = 0.0005").is_empty());
}

#[test]
fn a_rule_that_asks_for_less_than_its_far_edge_shows_is_warned_of() {
    let dir = installed();
    let path = dir.path().join("edge-config/four-cameras.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let of = |size: &str| {
        let text = text.replace("min_size_m2 = 0.5", &format!("min_size_m2 = {size}"));
        let warnings = parse(&text, &path).unwrap_or_else(|p| panic!("{p}")).warnings;
        warnings.into_iter().filter(|w| w.contains("at the far edge of zone")).collect::<Vec<_>>()
    };
    let [warning] = &of("0.01")[..] else { panic!("{:?}", of("0.01")) };
    assert!(warning.contains("0.01 m\u{b2} is 0.1 m"), "{warning}");
    assert!(of("0.5").is_empty(), "{:?}", of("0.5"));
    let site = parse(&text, &path).unwrap_or_else(|p| panic!("{p}"));
    let camera = &site.cameras[0];
    let reach = smallest::of_zone(&camera.ground().unwrap(), &camera.zones[0].polygon_norm).unwrap();
    // docs/en/results/range.md quotes it.
    assert_eq!(
        reach.to_string(),
        "things from 0.20 m (0.24 m if faint) at 10 m to 0.54 m (0.64 m if faint) at 30 m"
    );
}

#[test]
fn a_ring_too_small_for_a_usual_stream_is_warned_of() {
    let of = |more: &str| {
        let text = MINIMAL.replace("url = \"clip.mp4\"", &format!("url = \"clip.mp4\"\n{more}"));
        parse(&text, Path::new("site.toml")).unwrap_or_else(|p| panic!("{p}")).warnings
    };
    assert_eq!(
        of("ring_mb = 4"),
        [
            "site.toml:13:11: warning: a ring of 4 MB holds 20 s only of a stream below 1.7 Mbit/s; of a larger one, or one whose \
             key frames are far apart, evidence lacks packets: raise ring_mb, or lower ring_s"
        ]
    );
    assert_eq!(of("ring_s = 600").len(), 1);
    assert!(of("ring_mb = 8").is_empty());
}

#[test]
fn relative_paths_begin_at_the_file() {
    let site = parse(MINIMAL, Path::new("/etc/kerbside/site.toml")).unwrap();
    assert_eq!(site.cameras[0].url, "/etc/kerbside/clip.mp4");
    assert_eq!(site.device.data_dir, Path::new("/etc/kerbside/data"));
}

/// `UPDATE_EXPECT=1` writes the texts anew; read the difference before committing it.
#[test]
fn every_rejected_file_gives_its_exact_text() {
    let folder = edge_config().join("rejected");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 25, "only {} rejected files", files.len());
    let prefix = format!("{}/", folder.display());
    for file in files {
        let problems = load(&file).err().unwrap_or_else(|| panic!("{} was accepted", file.display()));
        let text = problems.to_string().replace(&prefix, "");
        expect_test::expect_file![file.with_extension("txt")].assert_eq(&text);
    }
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let problems = load(Path::new("/nowhere/site.toml")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/nowhere/site.toml: error: cannot be read: No such file or directory (os error 2)\n\n\
         /nowhere/site.toml: 1 problem; nothing was started\n"
    );
}

/// The lines of the example that set a key, with the key.
fn keys(text: &str) -> Vec<(usize, String)> {
    let key_of = |line: &str| {
        let (key, _) = line.split_once(" = ")?;
        key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_').then(|| key.to_owned())
    };
    text.lines().enumerate().filter_map(|(ix, line)| key_of(line).map(|k| (ix, k))).collect()
}

#[test]
fn every_key_removed_or_mistyped_or_huge_is_a_placed_problem_or_a_default() {
    let dir = installed();
    let path = dir.path().join("edge-config/one-camera.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let wrong = [
        "true",
        "\"\"",
        "\"\u{1F6B2}\"",
        "-1",
        "1e308",
        "9223372036854775807",
        "[]",
        "{}",
        "nan",
        "1979-05-27",
    ];
    let keys = keys(&text);
    assert!(keys.len() > 40, "{}", keys.len());
    for (ix, key) in keys {
        let mut texts = vec![("removed".to_owned(), replaced(&text, ix, None))];
        texts.extend(
            wrong.iter().map(|v| ((*v).to_owned(), replaced(&text, ix, Some(&format!("{key} = {v}"))))),
        );
        for (how, changed) in texts {
            let Err(problems) = parse(&changed, &path) else { continue };
            assert!(!problems.is_empty());
            for problem in problems.iter() {
                assert!(problems.position(problem).is_some(), "{key} {how}: {}", problem.what);
                assert!(!problem.what.is_empty());
            }
        }
        let mistyped = replaced(&text, ix, Some(&format!("{key} = [[[true]]]")));
        assert!(parse(&mistyped, &path).is_err(), "{key} took anything");
    }
}

fn replaced(text: &str, at: usize, with: Option<&str>) -> String {
    let lines = text.lines().enumerate().filter_map(|(ix, line)| if ix == at { with } else { Some(line) });
    lines.map(|line| format!("{line}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(at in 0usize..1200, cut in 0usize..40, put in "[\\[\\]{}=\"a-z0-9.\n#é街 -]{0,12}") {
        let mut chars: Vec<char> = MINIMAL.chars().collect();
        let at = at.min(chars.len());
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, put.chars());
        let text: String = chars.into_iter().collect();
        if let Err(problems) = parse(&text, Path::new("site.toml")) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}

/// The scenes of the test videos are configurations like any other.
#[test]
fn the_scenes_of_the_test_videos_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-videos");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let scenes = entries.map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().ends_with(".site.toml"));
    let refused: Vec<String> = scenes.filter_map(|path| load(&path).err()).map(|p| p.to_string()).collect();
    assert!(refused.is_empty(), "{}", refused.concat());
}

/// Every key of the examples, each gone, of each wrong type, huge, or misspelt: never a panic, never half a site, and each problem
/// at its place.
#[test]
fn every_key_missing_wrong_huge_or_unknown_is_an_error_at_its_place_or_harmless() {
    let dir = installed();
    for name in ["one-camera.toml", "four-cameras.toml"] {
        let path = dir.path().join("edge-config").join(name);
        let good = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with(['#', ' ']))
            else {
                continue;
            };
            // What goes on over several lines is not taken apart here.
            if value.trim_end().ends_with(['[', '{', ',']) {
                continue;
            }
            let with = |changed: &str| {
                let mut lines = lines.clone();
                lines[i] = changed;
                parse(&lines.join("\n"), &path).err().map(|problems| problems.to_string())
            };
            let here = format!("{name}:{}:", i + 1);
            let must_fail = [format!("{key}x = {value}"), format!("{key} = {{ nonsense = 1 }}")];
            for changed in must_fail {
                let said = with(&changed).unwrap_or_else(|| panic!("accepted: {changed}"));
                assert!(said.contains(&here), "{changed}: {said}");
            }
            for odd in [
                "true",
                "-1",
                "0",
                "1e300",
                "9223372036854775807",
                "nan",
                "\"\"",
                "\"\\u0000\"",
                "[]",
                "[[]]",
            ] {
                let changed = format!("{key} = {odd}");
                let said = with(&changed).unwrap_or_default();
                assert!(said.is_empty() || said.contains(&format!("{name}:")), "{changed}: {said}");
            }
            let said = with("").unwrap_or_default();
            assert!(said.is_empty() || said.contains(&format!("{name}:")), "without {line}: {said}");
        }
    }
}
