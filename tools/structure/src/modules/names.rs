//! What a piece of source defines, imports and names.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Attribute, Ident, Item, ItemUse, Meta, UseTree, Visibility};

use super::types::{Import, Reference};

/// Without the `r#` of raw identifiers.
pub(super) fn text(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// The name that an item brings into its module.
pub(super) fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(i) => &i.ident,
        Item::Enum(i) => &i.ident,
        Item::Fn(i) => &i.sig.ident,
        Item::Macro(i) => i.ident.as_ref()?,
        Item::Static(i) => &i.ident,
        Item::Struct(i) => &i.ident,
        Item::Trait(i) => &i.ident,
        Item::Type(i) => &i.ident,
        Item::Union(i) => &i.ident,
        _ => return None,
    };
    Some(text(ident))
}

pub(super) fn imports(item: &ItemUse, into: &mut Vec<Import>) {
    let is_public = !matches!(item.vis, Visibility::Inherited);
    leaves(&item.tree, &mut Vec::new(), is_public, into);
}

fn leaves(tree: &UseTree, path: &mut Vec<String>, is_public: bool, into: &mut Vec<Import>) {
    let mut leaf = |name: Option<String>, last: Option<&Ident>, line: usize| {
        let mut path = path.clone();
        path.extend(last.map(text));
        into.push(Import { name, path, line, is_public });
    };
    match tree {
        UseTree::Path(tree) => {
            path.push(text(&tree.ident));
            leaves(&tree.tree, path, is_public, into);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, is_public, into)),
        UseTree::Name(name) if name.ident == "self" => {
            leaf(path.last().cloned(), None, name.ident.span().start().line);
        }
        UseTree::Name(name) => leaf(Some(text(&name.ident)), Some(&name.ident), line_of(&name.ident)),
        UseTree::Rename(name) if name.ident == "self" => {
            leaf(Some(text(&name.rename)), None, line_of(&name.rename));
        }
        UseTree::Rename(name) => leaf(Some(text(&name.rename)), Some(&name.ident), line_of(&name.ident)),
        UseTree::Glob(star) => leaf(None, None, star.star_token.spans[0].start().line),
    }
}

fn line_of(ident: &Ident) -> usize {
    ident.span().start().line
}

pub(crate) fn references(item: &Item, into: &mut Vec<Reference>) {
    Collector(into).visit_item(item);
}

struct Collector<'a>(&'a mut Vec<Reference>);

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        // A leading `::` names another crate.
        if let (None, Some(first)) = (path.leading_colon, path.segments.first()) {
            let segments = path.segments.iter().map(|s| text(&s.ident)).collect();
            self.0.push(Reference { segments, line: line_of(&first.ident) });
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(super)` names nothing.
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {
        // Derives and documentation name other crates.
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        tokens(call.tokens.clone(), self.0);
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        // Inside a function: as if each leaf were written out.
        let mut inner = Vec::new();
        imports(import, &mut inner);
        let named = inner.into_iter().map(|i| Reference { segments: i.path, line: i.line });
        self.0.extend(named);
    }
}

/// What a macro is given is no syntax yet: every run of `name::name` in it counts as a path.
fn tokens(stream: TokenStream, into: &mut Vec<Reference>) {
    let mut run: Option<Reference> = None;
    let (mut colons, mut after_dot) = (0, false);
    for token in stream {
        match token {
            TokenTree::Ident(ident) => {
                match &mut run {
                    Some(run) if colons == 2 => run.segments.push(text(&ident)),
                    _ => {
                        into.extend(run.take());
                        let line = line_of(&ident);
                        run = (!after_dot && colons == 0)
                            .then(|| Reference { segments: vec![text(&ident)], line });
                    }
                }
                (colons, after_dot) = (0, false);
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                (colons, after_dot) = (colons + 1, false);
            }
            other => {
                into.extend(run.take());
                after_dot = matches!(&other, TokenTree::Punct(p) if p.as_char() == '.');
                colons = 0;
                if let TokenTree::Group(group) = other {
                    tokens(group.stream(), into);
                }
            }
        }
    }
    into.extend(run);
}

/// `#[cfg(test)]`, also among other conditions; `not(test)` is code that ships.
pub(crate) fn is_test(item: &Item) -> bool {
    attributes(item).iter().filter(|a| a.path().is_ident("cfg")).any(|a| match &a.meta {
        Meta::List(list) => {
            let condition = list.tokens.to_string();
            let names_test = condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "test");
            names_test && !condition.contains("not")
        }
        _ => false,
    })
}
