//! From a path as it is written to the module that defines what it names.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Arrow, Module, ModulePath, shown};

type Crate = BTreeMap<ModulePath, Module>;

/// Longer chains of re-exports than this are circles of `use`.
const DEEPEST: usize = 16;

/// Where a path ends.
#[derive(Debug)]
enum Target {
    /// An item of this module.
    Item(ModulePath),
    Module(ModulePath),
}

pub(super) fn arrows(crate_: &Crate) -> Vec<Arrow> {
    let mut found = BTreeSet::new();
    for (path, module) in crate_ {
        let own_imports = module.imports.iter().filter(|i| !i.is_public && i.name.is_some());
        let named = own_imports.map(|i| (&i.path, i.line));
        for (segments, line) in named.chain(module.references.iter().map(|r| (&r.segments, r.line))) {
            if let Some(Target::Item(to)) = resolve(crate_, path, segments, 0)
                && to != *path
            {
                found.insert(Arrow {
                    from: shown(path),
                    to: shown(&to),
                    file: module.file.clone(),
                    line,
                    path: segments.join("::"),
                });
            }
        }
    }
    found.into_iter().collect()
}

/// `None`: another crate's, a local name, or a method.
fn resolve(crate_: &Crate, from: &[String], segments: &[String], depth: usize) -> Option<Target> {
    let (first, rest) = segments.split_first()?;
    match first.as_str() {
        "crate" => walk(crate_, Vec::new(), rest, depth),
        "self" => walk(crate_, from.to_vec(), rest, depth),
        "super" => {
            let mut parent = from.to_vec();
            parent.pop()?;
            let mut rest = rest;
            while let Some(("super", more)) = rest.split_first().map(|(s, more)| (s.as_str(), more)) {
                parent.pop()?;
                rest = more;
            }
            walk(crate_, parent, rest, depth)
        }
        _ => walk(crate_, from.to_vec(), segments, depth),
    }
}

/// Follows `segments` from inside the module `at`.
fn walk(crate_: &Crate, at: ModulePath, segments: &[String], depth: usize) -> Option<Target> {
    if depth > DEEPEST {
        return None;
    }
    let Some((name, rest)) = segments.split_first() else { return Some(Target::Module(at)) };
    let module = crate_.get(&at)?;
    if module.children.contains(name) {
        return walk(crate_, [at.as_slice(), std::slice::from_ref(name)].concat(), rest, depth);
    }
    if module.defined.contains(name) {
        return Some(Target::Item(at));
    }
    if let Some(import) = module.imports.iter().find(|i| i.name.as_ref() == Some(name)) {
        // The import of a name under itself leads to another crate.
        if import.path.first() == Some(name) && import.path.len() == 1 {
            return None;
        }
        return match resolve(crate_, &at, &import.path, depth + 1)? {
            Target::Module(module) => walk(crate_, module, rest, depth + 1),
            item => Some(item),
        };
    }
    let globs = module.imports.iter().filter(|i| i.name.is_none());
    globs.into_iter().find_map(|glob| match resolve(crate_, &at, &glob.path, depth + 1)? {
        Target::Module(module) if module != at => walk(crate_, module, segments, depth + 1),
        _ => None,
    })
}
