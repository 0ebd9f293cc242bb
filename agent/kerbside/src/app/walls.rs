//! What stands around the children of a site: how much it demands, and what they must never read.

use std::path::{Path, PathBuf};

use kerbside_media::Walls;
use kerbside_site::config::Site;

/// Of a checked site, whose file is `config`.
pub fn walls(site: &Site, config: &Path) -> Walls {
    let tls = site.centre.tls.as_ref();
    let secrets = [
        Some(config),
        Some(site.device.data_dir.as_path()),
        site.centre.password_file.as_deref(),
        tls.and_then(|tls| tls.key_file.as_deref()),
        tls.and_then(|tls| tls.cert_file.as_deref()),
    ];
    let keep_out: Vec<PathBuf> = secrets.into_iter().flatten().flat_map(names).collect();
    Walls { demand: site.device.confine, keep_out: keep_out.into(), ..Walls::default() }
}

/// A path, and where it leads if a link stands in it.
fn names(path: &Path) -> Vec<PathBuf> {
    let named = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut names = vec![named];
    if let Some(real) = std::fs::canonicalize(path).ok().filter(|real| !names.contains(real)) {
        names.push(real);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_file_and_the_data_folder_are_kept_out_by_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let config = dir.path().join("site.toml");
        std::os::unix::fs::symlink(real.join("site.toml"), &config).unwrap();
        std::fs::write(real.join("site.toml"), "").unwrap();
        let site = crate::app::tests::site(&real);
        let walls = walls(&site, &config);
        assert!(
            [config, real.join("site.toml")].iter().all(|path| walls.keep_out.contains(path)),
            "{walls:?}"
        );
        assert!(walls.keep_out.contains(&site.device.data_dir), "{walls:?}");
    }
}
