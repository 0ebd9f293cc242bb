//! The documents say what is so: quoted sessions are run, and every command, option, target and script that they name exists.
//!
//! `KERBSIDE_DOCUMENTS=write` (`make docs-write`) puts today's output into the sessions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::program::built;
use kerbside_testkit::{command, repo};
use kerbside_tests::documents::{self, Mode, Outcomes, Sandbox, unknown_names};

/// What of the repository a session sees.
const LINKS: [&str; 5] = ["README.md", "Cargo.toml", "edge-config", "models", "test-videos"];

fn sandbox() -> Result<Sandbox> {
    let program = built("kerbside")?;
    Sandbox::new(&repo(), &LINKS, program.parent().context("no folder")?)
}

#[test]
fn quoted_sessions_give_what_stands_below_them() -> Result<()> {
    let mode = match std::env::var("KERBSIDE_DOCUMENTS").as_deref() {
        Ok("write") => Mode::Write,
        _ => Mode::Check,
    };
    let (mut problems, mut outcomes) = (Vec::new(), Outcomes::default());
    for document in documents::all(&repo())? {
        problems.extend(documents::run(&document, &sandbox()?, mode, &mut outcomes)?);
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The text of `kerbside WORDS --help`.
fn help(words: &[&str]) -> Result<String> {
    let output = command(words)?.arg("--help").output()?;
    ensure!(output.status.success(), "kerbside {words:?} --help: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Targets of the Makefile.
fn targets() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(repo().join("Makefile"))?;
    let names = text.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
    Ok(names.filter_map(|l| Some(l.split_once(':')?.0.to_owned())).collect())
}

#[test]
fn what_the_documents_name_exists() -> Result<()> {
    let (targets, root) = (targets()?, repo());
    let mut problems = Vec::new();
    for document in documents::all(&root)? {
        let text = std::fs::read_to_string(&document)?;
        let unknown = unknown_names(&text, &help, &targets, &|script| root.join(script).exists())?;
        let shown = document.strip_prefix(&root)?.display();
        problems.extend(unknown.into_iter().map(|problem| format!("{shown}, {problem}")));
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// A made-up document in a sandbox without programs.
fn made_up(text: &str) -> (tempfile::TempDir, PathBuf, Sandbox) {
    let dir = tempfile::tempdir().unwrap();
    let document = dir.path().join("made-up.md");
    std::fs::write(&document, text).unwrap();
    let sandbox = Sandbox::new(dir.path(), &[], Path::new("/nowhere")).unwrap();
    (dir, document, sandbox)
}

const SESSIONS: &str = r#"# A document

```console
$ printf 'one\ntwo 2\nthree\n'; echo four >&2
one
two [..]
...
four
$ echo a \
> b > file
$ cat file; exit 3
a b
? 3
```

```sh
exit 1
```

  * in a list

    ```console
    $ cat file
    a b
    ```
"#;

#[test]
fn a_session_that_is_right_passes_and_shares_one_folder() {
    let (_dir, document, sandbox) = made_up(SESSIONS);
    assert_eq!(
        documents::run(&document, &sandbox, Mode::Check, &mut Outcomes::default()).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn a_session_that_is_wrong_is_named_with_what_came() {
    for (right, wrong, said) in [
        ("two [..]", "two 3", ["`printf 'one", "two 2"]),
        ("? 3", "? 4", [": `cat file; exit 3`: exit code 3, not 4", "a b"]),
        ("    a b", "    a c", ["`cat file`", "a b"]),
    ] {
        let (_dir, document, sandbox) = made_up(&SESSIONS.replacen(right, wrong, 1));
        let problems = documents::run(&document, &sandbox, Mode::Check, &mut Outcomes::default()).unwrap();
        assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
        assert!(said.iter().all(|part| problems[0].contains(part)), "{wrong}:\n{}", problems[0]);
    }
}

#[test]
fn writing_puts_todays_output_in_and_leaves_wildcards() {
    let old = SESSIONS.replacen("one\ntwo [..]", "eins\ntwo [..]", 1);
    let (_dir, document, sandbox) = made_up(&old);
    assert_eq!(
        documents::run(&document, &sandbox, Mode::Write, &mut Outcomes::default()).unwrap(),
        Vec::<String>::new()
    );
    let written = std::fs::read_to_string(&document).unwrap();
    assert!(written.contains("\none\n") && !written.contains("eins"), "{written}");
    assert!(written.contains("    $ cat file\n    a b\n    ```"), "{written}");
    let (_dir, document, sandbox) = made_up(&written);
    assert_eq!(
        documents::run(&document, &sandbox, Mode::Check, &mut Outcomes::default()).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let help = |words: &[&str]| -> Result<String> {
        Ok(match words {
            [] => "Commands:\n  run      x\n  journal  y\n\nOptions:\n  -V, --version\n",
            ["run"] => "Options:\n      --config <FILE>\n",
            ["journal"] => "Commands:\n  verify  z\n",
            _ => "Options:\n      --json\n",
        }
        .to_owned())
    };
    let text = "`kerbside --version`, `kerbside run --config x.toml`, `kerbside journal verify --json DIR`, `make demo`, `make`\n\
                ```sh\nsudo kerbside run \\\n  --config x && tools/demo # kerbside fly\nX=1 make score\n```\n\
                ```text\nkerbside nowhere\n```\n";
    let (targets, is_file) = (["demo".to_owned(), "score".to_owned()], |name: &str| name == "tools/demo");
    assert_eq!(unknown_names(text, &help, &targets, &is_file).unwrap(), Vec::<String>::new());
    let wrong = "`kerbside fly`\n`kerbside run --konfig=x`\n```sh\n$ kerbside journal verify | cat\nkerbside journal \\\n  verify --yaml\nmake dem\ntools/gone x\n```\n";
    let found = unknown_names(wrong, &help, &targets, &is_file).unwrap();
    assert_eq!(
        found,
        [
            "line 1: `kerbside fly`: there is no command fly",
            "line 2: `kerbside run --konfig=x`: it has no option --konfig",
            "line 5: `kerbside journal verify --yaml`: it has no option --yaml",
            "line 7: `make dem`: the Makefile has no target dem",
            "line 8: `tools/gone x`: there is no tools/gone",
        ]
    );
}
