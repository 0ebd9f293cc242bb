//! The list of words of a network that names a whole picture: which of its classes each sum adds. TOML beside the manifest, with
//! the names of the classes, one a line, in a file beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_domain::detection::Group;
use kerbside_site::text;
use serde::Deserialize;

use super::error::ManifestError;
use crate::tuning::{MAX_MANIFEST_BYTES, MOST_DISTANT_WORD};

/// A checked list of words.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// In the order of the file.
    pub sums: Vec<Sum>,
    /// How many classes the network tells apart.
    pub classes: usize,
    /// The files that it was read from: the list, and the names of the classes.
    pub files: [PathBuf; 2],
}

/// Classes whose probabilities are added.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// Our word for all of them.
    pub name: Arc<str>,
    /// What that means to the rules.
    pub group: Group,
    /// Columns of the network's output, each once.
    pub classes: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWords {
    classes: String,
    sum: Vec<RawSum>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSum {
    name: String,
    group: Group,
    words: Vec<String>,
}

impl Words {
    /// Reads and checks the list at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, ManifestError> {
        let list = read(path)?;
        let raw = raw(path, &list)?;
        let names = path.with_file_name(&raw.classes);
        Self::of(path, raw, &names, &read(&names)?)
    }

    /// The list and the names of the classes as texts. `path` names the list in errors.
    #[cfg(test)]
    pub(crate) fn parse(path: &Path, list: &str, classes: &str) -> Result<Self, ManifestError> {
        let raw = raw(path, list)?;
        let names = path.with_file_name(&raw.classes);
        Self::of(path, raw, &names, classes)
    }

    fn of(path: &Path, raw: RawWords, names: &Path, classes: &str) -> Result<Self, ManifestError> {
        let classes: Vec<&str> = classes.lines().collect();
        let (mut problems, mut taken) = (Vec::new(), BTreeMap::new());
        if raw.sum.is_empty() {
            problems.push("sum: none".to_owned());
        }
        let sums = raw.sum.iter().enumerate().map(|(k, sum)| {
            if sum.name.is_empty() || sum.words.is_empty() {
                problems.push(format!("sum[{k}]: a name and words are needed"));
            }
            let mut columns = Vec::new();
            for word in &sum.words {
                let of_word: Vec<usize> = (0..classes.len()).filter(|&c| classes[c] == word).collect();
                if of_word.is_empty() {
                    problems.push(unknown(&sum.name, word, names, &classes));
                } else if let Some(other) = taken.insert(word.clone(), sum.name.clone()) {
                    problems.push(format!("{}: {word:?} is counted already, in {other}", sum.name));
                } else {
                    columns.extend(of_word);
                }
            }
            Sum { name: sum.name.as_str().into(), group: sum.group, classes: columns }
        });
        let sums: Vec<Sum> = sums.collect();
        if !problems.is_empty() {
            return Err(ManifestError::Invalid { path: path.to_owned(), problems });
        }
        Ok(Words { sums, classes: classes.len(), files: [path.to_owned(), names.to_owned()] })
    }
}

fn unknown(sum: &str, word: &str, names: &Path, classes: &[&str]) -> String {
    let file = names.file_name().unwrap_or_default().to_string_lossy();
    let distance = |class: &&str| strsim::damerau_levenshtein(&word.to_lowercase(), &class.to_lowercase());
    let nearest = classes.iter().map(|class| (distance(class), class)).min();
    match nearest {
        Some((distance, near)) if distance <= MOST_DISTANT_WORD => {
            format!("{sum}: {word:?} is no class of {file}; did you mean {near:?}?")
        }
        _ => format!("{sum}: {word:?} is no class of {file}"),
    }
}

fn raw(path: &Path, list: &str) -> Result<RawWords, ManifestError> {
    let raw: RawWords = toml::from_str(list).map_err(|e| ManifestError::Toml {
        path: path.to_owned(),
        why: e.to_string().trim_end().to_owned(),
    })?;
    if !is_beside(&raw.classes) {
        let problems = vec![format!("classes: {:?} must lie beside the list, without a path", raw.classes)];
        return Err(ManifestError::Invalid { path: path.to_owned(), problems });
    }
    Ok(raw)
}

/// A text file of the manifest or beside it.
pub(super) fn read(path: &Path) -> Result<String, ManifestError> {
    let read = |cause| ManifestError::Read { path: path.to_owned(), cause };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_MANIFEST_BYTES {
        return Err(ManifestError::TooLarge { path: path.to_owned(), limit: MAX_MANIFEST_BYTES });
    }
    text::decode(std::fs::read(path).map_err(read)?)
        .map_err(|cause| ManifestError::Encoding { path: path.to_owned(), cause })
}

/// The name of a file in the same folder.
pub(super) fn is_beside(file: &str) -> bool {
    !file.is_empty() && file != "." && file != ".." && !file.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const CLASSES: &str = "trash can\ngrocery store\ncrane\nminivan\ncrane\n";
    const LIST: &str = "classes = 'classes.txt'\n[[sum]]\nname = 'stall'\ngroup = 'stall'\nwords = ['grocery store']\n\
                        [[sum]]\nname = 'street'\ngroup = 'other'\nwords = ['crane', 'minivan']\n";

    fn said(change: (&str, &str)) -> String {
        assert!(LIST.contains(change.0), "{}", change.0);
        let list = LIST.replacen(change.0, change.1, 1);
        Words::parse(Path::new("w.toml"), &list, CLASSES).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_word_is_every_class_of_that_name() {
        let words = Words::parse(Path::new("models/w.toml"), LIST, CLASSES).unwrap();
        let sums: Vec<_> = words.sums.iter().map(|s| (&*s.name, s.group, s.classes.clone())).collect();
        assert_eq!(sums, [("stall", Group::Stall, vec![1]), ("street", Group::Other, vec![2, 4, 3])]);
        assert_eq!((words.classes, &*words.files[1]), (5, Path::new("models/classes.txt")));
    }

    #[test]
    fn a_word_that_is_none_is_named_with_its_nearest() {
        expect![[
            r#"w.toml: stall: "grocery stroe" is no class of classes.txt; did you mean "grocery store"?"#
        ]]
        .assert_eq(&said(("grocery store", "grocery stroe")));
        expect![[r#"w.toml: stall: "supermarket aisle" is no class of classes.txt"#]]
            .assert_eq(&said(("grocery store", "supermarket aisle")));
        expect![[r#"w.toml: street: "grocery store" is counted already, in stall"#]]
            .assert_eq(&said(("'crane'", "'grocery store'")));
        expect!["w.toml: sum[0]: a name and words are needed"].assert_eq(&said(("'grocery store'", "")));
        expect![[r#"w.toml: classes: "../c.txt" must lie beside the list, without a path"#]]
            .assert_eq(&said(("classes.txt", "../c.txt")));
        assert!(said(("group", "grouping")).contains("unknown field `grouping`"));
    }
}
