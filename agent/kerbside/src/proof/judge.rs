//! What the files and the lists come to, file by file, and as a whole.

use std::collections::{BTreeMap, BTreeSet};

use kerbside_crypto::sign::PublicKey;
use serde::Serialize;

use super::folder::Folder;
use super::listing::{Listing, Signed};
use super::names::{BUNDLE_LIST, MANIFEST_SUFFIX, PUBLIC_KEY, README};
use super::trace;
use crate::evidence::{SIGNATURE_SUFFIX, is_mark};

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub(super) enum Standing {
    /// As a list that counts says.
    Genuine,
    /// Named by a list that nobody signed.
    Unsigned,
    /// Named by a list that counts, and not here.
    Missing,
    Changed(String),
    /// No list that counts names it: somebody put it here.
    Added(String),
}

impl Standing {
    /// English and Chinese.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self {
            Standing::Genuine => ("genuine", "真实"),
            Standing::Unsigned => ("unsigned", "未签名"),
            Standing::Missing => ("missing", "缺失"),
            Standing::Changed(_) => ("changed", "已改动"),
            Standing::Added(_) => ("added", "多出"),
        }
    }

    pub(super) fn why(&self) -> Option<&str> {
        match self {
            Standing::Changed(why) | Standing::Added(why) => Some(why),
            _ => None,
        }
    }
}

/// What the whole comes to; the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Everything is what the box of the given key signed.
    Genuine,
    /// Everything is what the key signed that the evidence brings itself.
    Consistent,
    Unsigned,
    Missing,
    /// Something was changed, exchanged or added.
    Changed,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct JudgedFile {
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) standing: Standing,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// The key that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<PublicKey>,
    pub(super) listings: Vec<Listing>,
    pub(super) files: Vec<JudgedFile>,
}

impl Outcome {
    pub(super) fn of(folder: &Folder, key: Option<PublicKey>) -> anyhow::Result<Outcome> {
        let listings = Listing::all(folder, key)?;
        let mut names: BTreeSet<String> = folder.names().map(str::to_owned).collect();
        if folder.is_whole() {
            let named = listings.iter().filter(|l| l.signed.counts()).flat_map(|l| &l.files);
            names.extend(named.map(|(name, _)| name.clone()));
        }
        let naming = Naming::of(&listings);
        let mut files = Vec::new();
        for path in names.into_iter().filter(|name| folder.is_chosen(name)) {
            let standing = standing(folder, &naming, &path)?;
            files.extend(standing.map(|standing| JudgedFile { path, standing }));
        }
        let judged: BTreeSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
        let names_any = |l: &Listing| l.files.iter().any(|(name, _)| judged.contains(name.as_str()));
        let listings: Vec<Listing> = listings
            .into_iter()
            .filter(|l| folder.is_whole() || names_any(l) || folder.is_chosen(&l.path))
            .collect();
        let verdict = verdict(&listings, &files);
        Ok(Outcome { verdict, key, listings, files })
    }
}

/// Which lists name a file, and with which SHA-256.
struct Naming<'a> {
    by_name: BTreeMap<&'a str, Vec<(&'a Listing, &'a str)>>,
    has_lists: bool,
}

impl<'a> Naming<'a> {
    fn of(listings: &'a [Listing]) -> Naming<'a> {
        let mut by_name: BTreeMap<&str, Vec<(&Listing, &str)>> = BTreeMap::new();
        for listing in listings {
            for (name, sha256) in &listing.files {
                by_name.entry(name).or_default().push((listing, sha256));
            }
        }
        Naming { by_name, has_lists: !listings.is_empty() }
    }
}

fn verdict(listings: &[Listing], files: &[JudgedFile]) -> Verdict {
    let of_listing = |listing: &Listing| match listing.signed {
        Signed::ByTheGivenKey => Verdict::Genuine,
        Signed::ByItsOwnKey => Verdict::Consistent,
        Signed::ByNobody => Verdict::Unsigned,
        Signed::Wrongly(_) => Verdict::Changed,
    };
    let of_file = |file: &JudgedFile| match file.standing {
        Standing::Genuine => Verdict::Genuine,
        Standing::Unsigned => Verdict::Unsigned,
        Standing::Missing => Verdict::Missing,
        Standing::Changed(_) | Standing::Added(_) => Verdict::Changed,
    };
    // Where nothing is listed, nobody vouches for anything.
    let unlisted = listings.is_empty().then_some(Verdict::Unsigned);
    let all = listings.iter().map(of_listing).chain(files.iter().map(of_file)).chain(unlisted);
    all.max().unwrap_or(Verdict::Unsigned)
}

/// `None`: the file belongs to the lists themselves, and is judged with them.
fn standing(folder: &Folder, all: &Naming<'_>, path: &str) -> anyhow::Result<Option<Standing>> {
    let is_here = folder.has(path);
    let naming = all.by_name.get(path).map(Vec::as_slice).unwrap_or_default();
    let counting: Vec<_> = naming.iter().filter(|(l, _)| l.signed.counts()).collect();
    if !counting.is_empty() && !is_here {
        return Ok(Some(Standing::Missing));
    }
    if let Some((listing, expected)) = counting.first() {
        let found = folder.sha256(path)?.unwrap_or_default();
        if let Some((listing, expected)) = counting.iter().find(|(_, expected)| **expected != found) {
            let why = format!("its SHA-256 is {found}, {} says {expected}", listing.path);
            return Ok(Some(Standing::Changed(why)));
        }
        tracing::debug!(path, list = listing.path, sha256 = expected, "as listed");
    }
    let companion = companion(folder, path);
    Ok(match companion {
        Companion::Yes => None,
        Companion::WithoutItsList(list) => {
            Some(Standing::Added(format!("{list}, to which it belongs, is missing")))
        }
        Companion::No if counting.iter().any(|(l, _)| l.is_manifest) => Some(Standing::Genuine),
        Companion::No => Some(match naming.first() {
            Some((list, _)) if list.signed == Signed::ByNobody => Standing::Unsigned,
            Some((list, _)) => Standing::Changed(format!("{} vouches for it, and does not count", list.path)),
            None if !all.has_lists => Standing::Unsigned,
            None => Standing::Added("no manifest names it".to_owned()),
        }),
    })
}

/// Whether a file is part of the lists themselves.
enum Companion {
    Yes,
    WithoutItsList(String),
    No,
}

fn companion(folder: &Folder, path: &str) -> Companion {
    let name = path.rsplit('/').next().unwrap_or(path);
    let own = [BUNDLE_LIST, PUBLIC_KEY, README].contains(&path) || name.ends_with(MANIFEST_SUFFIX);
    if own || is_mark(name) {
        return Companion::Yes;
    }
    let list = path.strip_suffix(SIGNATURE_SUFFIX).map(str::to_owned).or_else(|| trace::manifest_of(path));
    match list {
        Some(list) if folder.has(&list) => Companion::Yes,
        Some(list) => Companion::WithoutItsList(list),
        None => Companion::No,
    }
}
