//! One crate as modules and arrows, read from its source with `syn`.
//!
//! An arrow leads from a module to the module that *defines* an item it names, whatever re-exports lie between. Calls of
//! methods are not seen (that needs types); the `use` of a trait is. Tests (`#[cfg(test)]`) are left out, and so is a re-export
//! by itself: it needs nothing.

pub(crate) mod names;
mod resolve;
mod types;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use syn::Item;

use types::Module;
pub(crate) use types::Reference;
pub use types::{Arrow, ModulePath};

/// All arrows of the crate whose root is `root` (`src/lib.rs` or `src/main.rs`), in order.
pub fn arrows(root: &Path) -> Result<Vec<Arrow>> {
    let mut crate_ = BTreeMap::new();
    read(&mut crate_, Vec::new(), root, &Folder::of_root(root))?;
    Ok(resolve::arrows(&crate_))
}

/// Where the files of a module's children lie.
struct Folder(PathBuf);

impl Folder {
    fn of_root(root: &Path) -> Folder {
        Folder(root.parent().map(Path::to_owned).unwrap_or_default())
    }

    fn child(&self, name: &str) -> Result<(PathBuf, Folder)> {
        let inner = self.0.join(name);
        let candidates = [inner.with_extension("rs"), inner.join("mod.rs")];
        let file = candidates.iter().find(|file| file.is_file());
        let file = file.with_context(|| format!("no file for module {name} in {}", self.0.display()))?;
        Ok((file.clone(), Folder(inner)))
    }
}

fn read(
    crate_: &mut BTreeMap<ModulePath, Module>,
    path: ModulePath,
    file: &Path,
    folder: &Folder,
) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
    read_items(crate_, path, file, folder, &parsed.items)
}

fn read_items(
    crate_: &mut BTreeMap<ModulePath, Module>,
    path: ModulePath,
    file: &Path,
    folder: &Folder,
    items: &[Item],
) -> Result<()> {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    for item in items.iter().filter(|item| !names::is_test(item)) {
        match item {
            Item::Mod(child) => {
                let name = names::text(&child.ident);
                module.children.insert(name.clone());
                let child_path = [path.as_slice(), std::slice::from_ref(&name)].concat();
                if let Some((_, items)) = &child.content {
                    let inner = Folder(folder.0.join(&name));
                    read_items(crate_, child_path, file, &inner, items)?;
                } else {
                    if child.attrs.iter().any(|a| a.path().is_ident("path")) {
                        bail!("{}: `#[path]` is not followed", file.display());
                    }
                    let (child_file, inner) = folder.child(&name)?;
                    read(crate_, child_path, &child_file, &inner)?;
                }
            }
            Item::Use(import) => names::imports(import, &mut module.imports),
            other => {
                module.defined.extend(names::defined(other));
                names::references(other, &mut module.references);
            }
        }
    }
    crate_.insert(path, module);
    Ok(())
}
