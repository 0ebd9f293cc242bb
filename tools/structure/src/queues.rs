//! Channels without a bound in what ships (invariant 4).

use std::path::Path;

use anyhow::{Context as _, Result};
use syn::visit::Visit;
use syn::{Expr, ExprCall, Item};

use crate::modules::names;
use crate::sources;

/// Every unbounded channel of the agent.
pub fn problems(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (shown, text) in sources::read(root, &["agent"])? {
        if !sources::is_test(&shown) {
            found.extend(of_file(&shown, &text)?);
        }
    }
    Ok(found)
}

/// The same for one file; `shown` is its path from the root.
pub fn of_file(shown: &str, text: &str) -> Result<Vec<String>> {
    let parsed = syn::parse_file(text).with_context(|| shown.to_owned())?;
    let mut calls = Calls(Vec::new());
    calls.of(&parsed.items);
    Ok(calls
        .0
        .iter()
        .map(|line| format!("{shown}:{line}: a channel without a bound (invariant 4)"))
        .collect())
}

/// Lines of calls that make one.
struct Calls(Vec<usize>);

impl Calls {
    fn of(&mut self, items: &[Item]) {
        items.iter().for_each(|item| self.visit_item(item));
    }
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_item(&mut self, item: &'ast Item) {
        if !names::is_test(item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(last) = function.path.segments.last()
        {
            let name = last.ident.to_string();
            let is_oneshot = function.path.segments.iter().any(|segment| segment.ident == "oneshot");
            // `channel` of std takes nothing, that of tokio its bound; a oneshot holds one thing.
            let unbounded = matches!(name.as_str(), "unbounded" | "unbounded_channel")
                || (name == "channel" && call.args.is_empty() && !is_oneshot);
            if unbounded {
                self.0.push(last.ident.span().start().line);
            }
        }
        syn::visit::visit_expr_call(self, call);
    }
}
