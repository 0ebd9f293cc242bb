//! Commands that a document names without showing what they give: they must exist.

use std::collections::BTreeMap;

use anyhow::Result;

/// What is asked about the program: the text of `kerbside WORDS --help`.
pub type Help<'a> = dyn Fn(&[&str]) -> Result<String> + 'a;

/// Subcommands and options of `kerbside`, targets of `make` and scripts that stand in code of `text` and do not exist.
pub fn unknown_names(
    text: &str,
    help: &Help<'_>,
    targets: &[String],
    exists: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for (line, code) in code_of(text) {
        for words in commands(&code) {
            let problem = match words.as_slice() {
                ["kerbside", rest @ ..] => of_kerbside(rest, help, &mut pages)?,
                ["make", target, ..] if is_target(target) && !targets.iter().any(|t| t == target) => {
                    Some(format!("the Makefile has no target {target}"))
                }
                [script, ..] if is_script(script) && !exists(script) => Some(format!("there is no {script}")),
                _ => None,
            };
            problems.extend(problem.map(|problem| format!("line {line}: `{}`: {problem}", words.join(" "))));
        }
    }
    Ok(problems)
}

/// Lines of blocks for a shell, and code within prose, each with its line number.
fn code_of(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut block: Option<bool> = None;
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(info) = trimmed.strip_prefix("```") {
            block =
                if block.is_some() { None } else { Some(matches!(info.trim(), "sh" | "bash" | "console")) };
            continue;
        }
        match block {
            Some(true) => {
                let code = trimmed.trim_start_matches("$ ").trim_start_matches("> ");
                let whole = code.trim_end_matches('\\');
                match found.last_mut().filter(|_| goes_on) {
                    Some((_, last)) => *last = format!("{last} {whole}"),
                    None => found.push((at + 1, whole.to_owned())),
                }
                goes_on = code.ends_with('\\');
            }
            Some(false) => {}
            None => {
                let inline = line.split('`').skip(1).step_by(2);
                found.extend(inline.map(|code| (at + 1, code.to_owned())));
            }
        }
    }
    found
}

/// Each simple command of a line, without what the shell does with it.
fn commands(code: &str) -> Vec<Vec<&str>> {
    let code = code.split(" #").next().unwrap_or_default();
    let parts = code.split(['|', ';', '&', '(', ')', '>', '<']);
    let words = parts.map(|part| part.split_whitespace().filter(|w| !w.contains('=') || w.starts_with('-')));
    let plain =
        words.map(|words| words.skip_while(|w| matches!(*w, "sudo" | "exec" | "nice")).collect::<Vec<_>>());
    plain.filter(|words| !words.is_empty()).collect()
}

fn is_target(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_script(word: &str) -> bool {
    ["tools/", "bench/", "cross/"].iter().any(|folder| {
        word.strip_prefix(folder)
            .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    })
}

fn of_kerbside(
    words: &[&str],
    help: &Help<'_>,
    pages: &mut BTreeMap<String, String>,
) -> Result<Option<String>> {
    let mut page = |path: &[&str]| -> Result<String> {
        let key = path.join(" ");
        if let Some(page) = pages.get(&key) {
            return Ok(page.clone());
        }
        let text = help(path)?;
        pages.insert(key, text.clone());
        Ok(text)
    };
    let (mut path, mut text) = (Vec::new(), page(&[])?);
    for word in words {
        if !subcommands(&text).contains(word) {
            break;
        }
        path.push(*word);
        text = page(&path)?;
    }
    let first = words.first().copied().unwrap_or_default();
    if path.is_empty() && is_target(first) {
        return Ok(Some(format!("there is no command {first}")));
    }
    let options = words.iter().filter_map(|w| w.split('=').next()).filter(|w| w.starts_with("--"));
    let unknown = options.filter(|o| o.len() > 2).find(|option| !has_option(&text, option));
    Ok(unknown.map(|option| format!("it has no option {option}")))
}

/// The list below "Commands:".
fn subcommands(help: &str) -> Vec<&str> {
    let list = help.lines().skip_while(|l| l.trim() != "Commands:").skip(1);
    let entries = list.take_while(|l| l.trim().is_empty() || l.starts_with(' '));
    entries
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .collect()
}

fn has_option(help: &str, option: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '[' | ']' | '`'))
        .any(|word| word == option)
}
