//! What other users of the machine can read or change: the site file, what it names, and where journal and evidence lie.
//!
//! Judged by the permissions of each file and of every folder above it; groups are the operator's business.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::instruments::OutputWay;
use super::site::{Camera, Site};
use crate::camera_url::CameraUrl;

/// Rights of users who are neither owner nor in the group.
const READ: u32 = 0o004;
const WRITE: u32 = 0o002;
const ENTER: u32 = 0o001;

/// A line each: what is open, and how it is closed.
pub(super) fn warnings(file: &Path, site: &Site) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |path: &Path, rights: u32, what: &str, cure: &str| {
        if path.is_absolute() && others_may(path, rights) {
            found.push(format!("{}: warning: {what}; {cure} {}", path.display(), path.display()));
        }
    };
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    look(&file, WRITE, "every user of this machine can change the site file", "chmod o-w");
    let main = |camera: &Camera| camera.main.as_ref().is_some_and(|main| holds_password(&main.url));
    if site.cameras.iter().any(|camera| holds_password(&camera.url) || main(camera)) {
        let what = "every user of this machine can read the passwords of the cameras";
        look(&file, READ, what, "chmod o-r");
    }
    if site.centre.proxy.as_ref().is_some_and(|proxy| proxy.login.is_some()) {
        look(&file, READ, "every user of this machine can read the password of the proxy", "chmod o-r");
    }
    let tls = site.centre.tls.iter().filter_map(|tls| tls.key_file.as_ref());
    let outputs = site.outputs.iter().filter_map(|output| match &output.way {
        OutputWay::Http { login: Some((_, file)), .. } => Some(file),
        _ => None,
    });
    for secret in site.centre.password_file.iter().chain(tls).chain(outputs) {
        let secret = std::path::absolute(secret).unwrap_or_else(|_| secret.clone());
        look(
            &secret,
            READ | WRITE,
            "every user of this machine can read or change this secret",
            "chmod o-rwx",
        );
    }
    let data = std::path::absolute(&site.device.data_dir).unwrap_or_else(|_| site.device.data_dir.clone());
    let what = "every user of this machine can look at journal and evidence";
    look(&data, READ | ENTER, what, "chmod o-rwx");
    found
}

/// What cannot be read as an address may hold one.
fn holds_password(url: &str) -> bool {
    CameraUrl::parse(url).map_or(true, |url| url.holds_secret())
}

/// Whether any of these rights is there, and the way to it is open. What is not there is open to nobody.
fn others_may(path: &Path, rights: u32) -> bool {
    let mode = |path: &Path| path.metadata().map(|m| m.permissions().mode()).unwrap_or(0);
    mode(path) & rights != 0 && path.ancestors().skip(1).all(|folder| mode(folder) & ENTER != 0)
}
