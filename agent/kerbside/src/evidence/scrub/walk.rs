//! The evidence folder in order, one manifest after the other, without holding it all in memory.

use std::path::Path;

use super::super::folders::is_true_folder;

/// The first manifest behind `after`; names are `DAY/SET/rN-manifest.json`. Damage of the folder itself is an end of it. No link is
/// followed.
pub(super) fn next_manifest(root: &Path, after: &str) -> Option<String> {
    let mut parts = after.splitn(3, '/');
    let (day, set, file) =
        (parts.next()?, parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_folder = |path: &str| is_true_folder(&root.join(path));
    for this_day in sorted(root).into_iter().filter(|d| d.as_str() >= day && is_folder(d)) {
        let same_day = this_day == day;
        for this_set in sorted(&root.join(&this_day)).into_iter().filter(|s| !same_day || s.as_str() >= set) {
            if !is_folder(&format!("{this_day}/{this_set}")) {
                continue;
            }
            let same_set = same_day && this_set == set;
            let files = sorted(&root.join(&this_day).join(&this_set));
            let manifest =
                files.into_iter().find(|f| f.ends_with("manifest.json") && (!same_set || f.as_str() > file));
            if let Some(manifest) = manifest {
                return Some(format!("{this_day}/{this_set}/{manifest}"));
            }
        }
    }
    None
}

fn sorted(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}
