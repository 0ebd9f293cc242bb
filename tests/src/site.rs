//! A site file for one test: a scene's own configuration with the parts that a test must choose replaced.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::broker::free_port;
use crate::{Broker, repo};

#[derive(Debug)]
pub struct Site {
    path: PathBuf,
    health_port: u16,
}

impl Site {
    /// `scene`: a file of `test-videos/`; its broker, camera url, data folder and health port become the test's own.
    pub fn of_scene(dir: &Path, scene: &str, broker: &Broker, camera_url: &str) -> Result<Site> {
        let scene = repo().join("test-videos").join(scene);
        let text = std::fs::read_to_string(&scene).with_context(|| scene.display().to_string())?;
        let health_port = free_port()?;
        let text = replaced(&text, "centre", "url", &broker.url());
        let text = replaced(&text, "camera", "url", camera_url);
        let text = replaced(&text, "device", "data_dir", &dir.join("data").to_string_lossy());
        let text = replaced(&text, "health", "listen", &format!("127.0.0.1:{health_port}"));
        let text = absolute(&text, &repo().join("test-videos"));
        let path = dir.join("site.toml");
        std::fs::write(&path, text)?;
        Ok(Site { path, health_port })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn health_port(&self) -> u16 {
        self.health_port
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path.with_file_name("data")
    }

    /// Changes one key of a section, or adds it.
    pub fn set(&self, section: &str, key: &str, value: &str) -> Result<()> {
        let text = std::fs::read_to_string(&self.path)?;
        Ok(std::fs::write(&self.path, replaced(&text, section, key, value))?)
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

/// Relative paths of a scene file point from `test-videos/`; a copy elsewhere needs them absolute.
fn absolute(text: &str, from: &Path) -> String {
    text.replace("\"../", &format!("\"{}/", from.parent().unwrap_or(from).display()))
}
