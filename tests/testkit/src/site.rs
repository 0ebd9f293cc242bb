//! A site file for one test: a scene's own configuration with the parts that a test must choose replaced.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{Broker, repo};

#[derive(Debug)]
pub struct Site {
    path: PathBuf,
}

impl Site {
    /// `scene`: a file of `test-videos/`; its broker and data folder become the test's own, its health page takes a free port,
    /// and its camera is there once for each of `urls`, as `cam1`, `cam2`, ...
    pub fn of_scene(dir: &Path, scene: &str, broker: &Broker, urls: &[&str]) -> Result<Site> {
        let scene = repo().join("test-videos").join(scene);
        let text = std::fs::read_to_string(&scene).with_context(|| scene.display().to_string())?;
        let (head, camera) = text.split_once("[[camera]]").context("the scene has no camera")?;
        let mut text = replaced(head, "centre", "url", &broker.url());
        text = replaced(&text, "device", "data_dir", &dir.join("data").to_string_lossy());
        text = replaced(&text, "health", "listen", "127.0.0.1:0");
        for (n, url) in urls.iter().enumerate() {
            let camera = format!("[[camera]]{camera}");
            let camera = replaced(&camera, "camera", "id", &format!("cam{}", n + 1));
            text.push_str(&replaced(&camera, "camera", "url", url));
        }
        // Relative paths of a scene point from `test-videos/`; a copy elsewhere needs them absolute.
        let text = text.replace("\"../", &format!("\"{}/", repo().display()));
        let path = dir.join("site.toml");
        std::fs::write(&path, text)?;
        Ok(Site { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path.with_file_name("data")
    }

    pub fn evidence_dir(&self) -> PathBuf {
        self.data_dir().join("evidence")
    }

    /// Changes one text of a section, or adds it.
    pub fn set(&self, section: &str, key: &str, value: &str) -> Result<()> {
        self.edit(|text| replaced(text, section, key, value))
    }

    /// Changes the file as a whole.
    pub fn edit(&self, change: impl FnOnce(&str) -> String) -> Result<()> {
        let text = std::fs::read_to_string(&self.path)?;
        Ok(std::fs::write(&self.path, change(&text))?)
    }

    /// Readings come from `broker`, described by the tables `sensors`; GNSS from a TCP receiver, whose place is the box's:
    /// the surveyed point goes.
    pub fn add_sensors(&self, broker: &Broker, receiver: SocketAddr, sensors: &str) -> Result<()> {
        self.set("sensors", "broker", &broker.url())?;
        self.set("gnss", "source", &format!("tcp://{receiver}"))?;
        self.edit(|text| {
            let (head, rest) = text.split_once("[centre]").unwrap_or((text, ""));
            let unsurveyed: String =
                head.lines().filter(|l| !l.starts_with("point")).map(|l| format!("{l}\n")).collect();
            format!("{unsurveyed}[centre]{rest}{sensors}")
        })
    }
}

/// `text` with `key` of `[section]` (or the first `[[section]]`) set to the string `value`.
fn replaced(text: &str, section: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value:?}");
    let heads = [format!("[{section}]"), format!("[[{section}]]")];
    let mut out = Vec::new();
    let (mut inside, mut done) = (false, false);
    for l in text.lines() {
        let head = l.trim();
        if head.starts_with('[') {
            inside = !done && heads.iter().any(|h| head == h);
            out.push(l.to_owned());
            if inside {
                out.push(line.clone());
                done = true;
            }
            continue;
        }
        let same_key = l.split('=').next().map(str::trim) == Some(key);
        if !(inside && same_key) {
            out.push(l.to_owned());
        }
    }
    if !done {
        out.push(format!("[{section}]\n{line}"));
    }
    out.join("\n") + "\n"
}
