//! What the program says and the code it ends with, when all is well and when it is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::program::replay;
use kerbside_testkit::{Agent, Broker, Cameras, LIMIT, Site, clip, command, repo};

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Result<Ended> {
    let output = command(args)?.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
}

#[test]
fn help_teaches_and_a_wrong_option_is_a_wrong_configuration() -> Result<()> {
    let help = run(&["--help"])?;
    assert_eq!(help.code, Some(0));
    for word in ["run", "replay", "check", "watch", "doctor", "Exit codes", "Start here"] {
        assert!(help.out.contains(word), "no {word:?} in\n{}", help.out);
    }
    assert!(!help.out.contains("capture"), "internal commands are not for people");
    for args in [&["run", "--konfig", "x"][..], &["fly"], &[], &["replay", "clip.mp4"]] {
        let wrong = run(args)?;
        assert_eq!(wrong.code, Some(78), "{args:?}\n{}", wrong.err);
        assert!(wrong.err.contains("Usage"), "{args:?}\n{}", wrong.err);
    }
    let absent = run(&["run", "--config", "/nowhere/site.toml"])?;
    assert_eq!(absent.code, Some(78));
    assert!(absent.err.contains("/nowhere/site.toml"), "{}", absent.err);
    Ok(())
}

/// As under `| head`: the reader has gone before the first line.
#[test]
fn a_reader_that_has_gone_changes_nothing() -> Result<()> {
    let site = repo().join("edge-config/one-camera.toml");
    for args in [&["check", &*site.to_string_lossy()][..], &["doctor"]] {
        let with_reader = run(args)?;
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let without = command(args)?.stdout(writer).output()?;
        let text = String::from_utf8_lossy(&without.stderr);
        assert_eq!(without.status.code(), with_reader.code, "{args:?}\n{text}");
    }
    Ok(())
}

/// ONNX Runtime reports to its maker unless it is kept from it, with an id and a database in the home folder.
#[test]
fn a_model_is_loaded_and_nothing_is_written_home() -> Result<()> {
    let home = tempfile::tempdir()?;
    let site = repo().join("test-videos/kerb-day.site.toml");
    let mut doctor = command(&["doctor", &site.to_string_lossy()])?;
    for variable in ["ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME"] {
        doctor.env_remove(variable);
    }
    let text = doctor.env("HOME", home.path()).output()?;
    let text = String::from_utf8_lossy(&text.stdout);
    ensure!(text.contains("loads; its hash is right"), "{text}");
    let left: Vec<_> = std::fs::read_dir(home.path())?.flatten().map(|e| e.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    Ok(())
}

#[test]
fn every_rejected_configuration_gives_its_exact_text() -> Result<()> {
    let folder = repo().join("edge-config/rejected");
    let files = toml_files(&folder)?;
    ensure!(files.len() >= 60, "only {} rejected files", files.len());
    let prefix = format!("{}/", folder.display());
    for file in files {
        let wanted = std::fs::read_to_string(file.with_extension("txt"))?;
        let checked = run(&["check", &file.to_string_lossy()])?;
        assert_eq!(checked.code, Some(78), "{}", file.display());
        assert_eq!(checked.err.replace(&prefix, ""), wanted, "{}", file.display());
        assert_eq!(checked.out, "", "{}", file.display());
    }
    Ok(())
}

#[test]
fn examples_and_scenes_are_in_order() -> Result<()> {
    // The files that the larger example names lie on an installed box, not in the repository.
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("edge-config");
    let copied =
        std::process::Command::new("cp").arg("-r").arg(repo().join("edge-config")).arg(&config).status()?;
    ensure!(copied.success());
    std::fs::create_dir_all(config.join("secrets"))?;
    for file in ["ca.pem", "box.pem", "box.key", "centre.password"] {
        std::fs::write(config.join("secrets").join(file), "")?;
    }
    std::os::unix::fs::symlink(repo().join("models"), dir.path().join("models"))?;
    let mut files = toml_files(&config)?;
    files.extend(toml_files(&clip(""))?.into_iter().filter(|f| f.to_string_lossy().ends_with(".site.toml")));
    ensure!(files.len() >= 8, "only {files:?}");
    for file in files {
        let checked = run(&["check", &file.to_string_lossy()])?;
        assert_eq!(checked.code, Some(0), "{}", checked.err);
        assert!(checked.out.contains("in order"), "{}", checked.out);
    }
    Ok(())
}

/// What Notepad, Excel and programs for maps put before a text, and the encodings that they choose.
#[test]
fn text_files_may_come_from_windows() -> Result<()> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    let dir = tempfile::tempdir()?;
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    };
    let config = repo().join("edge-config");
    let site = std::fs::read_to_string(config.join("one-camera.toml"))?
        .replace("\"../models/", &format!("\"{}/", repo().join("models").display()));
    let site = write("site.toml", &[MARK, site.as_bytes()].concat())?;
    for folder in ["codes", "grids"] {
        std::fs::create_dir(dir.path().join(folder))?;
    }
    let codes = std::fs::read_to_string(config.join("codes/matters.csv"))?;
    let grids = std::fs::read(config.join("grids/example.geojson"))?;
    write("grids/example.geojson", &[MARK, &grids].concat())?;

    let marked = [MARK, codes.as_bytes()].concat();
    let head = codes.lines().next().context("a header")?.as_bytes();
    // 占道经营 in GBK.
    let name = b"\xD5\xBC\xB5\xC0\xBE\xAD\xD3\xAA";
    let gbk = [head, b"\nstall.occupying,GB/T 47678.5-2026,09006,", name, b",,\n"].concat();
    let utf16: Vec<u8> = codes.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zero_lost = codes.replace(",09006,", ",9006,").into_bytes();
    let table: [(&[u8], Option<i32>, &str); 4] = [
        (&marked, Some(0), "in order"),
        (&utf16, Some(78), "matters.csv cannot be read: it is encoded in UTF-16; save it as UTF-8"),
        (&zero_lost, Some(78), "was it 09006?"),
        (&gbk, Some(78), "line 2: not UTF-8 but probably GBK; save it as UTF-8"),
    ];
    for (bytes, code, text) in table {
        write("codes/matters.csv", bytes)?;
        let checked = run(&["check", &site.to_string_lossy()])?;
        let said = format!("{}{}", checked.out, checked.err);
        assert_eq!(checked.code, code, "{said}");
        assert!(said.contains(text), "{text:?} is missing in: {said}");
    }
    Ok(())
}

#[test]
fn a_model_that_is_not_the_one_its_manifest_names_is_never_run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut model = std::fs::read(repo().join("models/street.onnx"))?;
    let middle = model.len() / 2;
    model[middle] ^= 1;
    std::fs::write(dir.path().join("street.onnx"), model)?;
    let manifest = dir.path().join("street.toml");
    std::fs::copy(repo().join("models/street.toml"), &manifest)?;

    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("quiet-day.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    site.set("models", "street", &manifest.to_string_lossy())?;
    let (code, text) = replay(&clip("quiet-day.mp4"), site.path(), &dir.path().join("out"), &[])?;
    assert_eq!(code, Some(70), "{text}");
    assert!(text.contains("street.onnx") && text.contains("SHA-256 is"), "{text}");

    // The box goes on without: sensors, journal and link are still worth having, and the camera says that it is blind.
    let agent = Agent::start(&site)?;
    agent.logged("refusal of the model", LIMIT, |e| {
        e["message"].as_str().is_some_and(|m| m.starts_with("no detector"))
    })?;
    agent.logged("blind camera", LIMIT, |e| {
        e["message"] == "camera state" && e["state"].as_str().is_some_and(|s| s.contains("NoDetector"))
    })?;
    assert_eq!(agent.get("/healthz")?.0, "HTTP/1.1 200 OK");
    agent.stop()
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    Ok(files)
}
