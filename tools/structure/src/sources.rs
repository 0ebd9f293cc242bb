//! The Rust files of the checkout.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Path from the root and text of every Rust file below these folders, in order.
pub fn read(root: &Path, folders: &[&str]) -> Result<Vec<(String, String)>> {
    let mut open: Vec<_> = folders.iter().map(|folder| root.join(folder)).filter(|f| f.is_dir()).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                found.push((path.strip_prefix(root).unwrap_or(&path).display().to_string(), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file that is compiled for tests alone, by its name or its folder.
pub fn is_test(shown: &str) -> bool {
    let is_tests = |part: &str| part == "tests" || part.ends_with("_tests") || part == "testing";
    shown.trim_end_matches(".rs").split('/').any(is_tests)
}
