//! What is known of a crate: modules, and the arrows between them.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The path of a module from the crate's root, for example `gate::regions`; the root's is empty.
pub type ModulePath = Vec<String>;

/// One module's source, as far as names go.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    /// Names of items that stand here.
    pub(crate) defined: BTreeSet<String>,
    pub(crate) children: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) references: Vec<Reference>,
}

/// One leaf of a `use`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// As it is called here; `None`: a glob.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_public: bool,
}

/// `from` names something that `to` defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    pub file: PathBuf,
    pub line: usize,
    /// The path as it is written.
    pub path: String,
}

/// A path as it stands in the code, `a::b::c`; generic arguments are visited by themselves.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Name of a module for people: the crate's root is `crate`.
pub(crate) fn shown(path: &[String]) -> String {
    if path.is_empty() { "crate".to_owned() } else { path.join("::") }
}
