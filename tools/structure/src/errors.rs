//! Errors that would print their cause twice: once in their own text, once more as their source.

use std::path::Path;

use anyhow::{Context as _, Result};
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{Attribute, Fields, LitStr};

use crate::sources;

/// Every such error of what ships.
pub fn problems(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (shown, text) in sources::read(root, &["agent", "desk"])? {
        found.extend(of_file(&shown, &text)?);
    }
    Ok(found)
}

/// The same for one file; `shown` is its path from the root.
pub fn of_file(shown: &str, text: &str) -> Result<Vec<String>> {
    let mut errors = Errors(Vec::new());
    errors.visit_file(&syn::parse_file(text).with_context(|| shown.to_owned())?);
    let problem = |line: &usize| {
        format!("{shown}:{line}: this error prints its cause, and gives it as its source: it is shown twice")
    };
    Ok(errors.0.iter().map(problem).collect())
}

/// Lines of the texts.
struct Errors(Vec<usize>);

impl Errors {
    fn examine(&mut self, attributes: &[Attribute], fields: &Fields) {
        let is = |attribute: &&Attribute, name: &str| attribute.path().is_ident(name);
        let Some(error) = attributes.iter().find(|a| is(a, "error")) else { return };
        // `transparent` shows its source and hands on the source's own.
        let Ok(text) = error.parse_args_with(|input: syn::parse::ParseStream<'_>| {
            let text: LitStr = input.parse()?;
            input.parse::<proc_macro2::TokenStream>().map(|_| text.value())
        }) else {
            return;
        };
        let shows_its_source = fields.iter().enumerate().any(|(n, field)| {
            let name = field.ident.as_ref().map_or_else(|| n.to_string(), ToString::to_string);
            let is_source =
                name == "source" || field.attrs.iter().any(|a| is(&a, "source") || is(&a, "from"));
            is_source && ["}", ":"].iter().any(|end| text.contains(&format!("{{{name}{end}")))
        });
        if shows_its_source {
            self.0.push(error.span().start().line);
        }
    }
}

impl<'ast> Visit<'ast> for Errors {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.examine(&item.attrs, &item.fields);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.examine(&variant.attrs, &variant.fields);
    }
}
