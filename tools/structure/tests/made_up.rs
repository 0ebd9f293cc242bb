//! The rules on made-up crates: what breaks one is found and named, what does not is left alone.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What fails here fails the test.

use std::path::{Path, PathBuf};

use kerbside_structure::crates::{self, Crate};
use kerbside_structure::{cycles, errors, exceptions, modules, queues, sleeps};

/// A crate of these files, whose root is `lib.rs`.
fn made_up(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = dir.path().join("lib.rs");
    (dir, root)
}

/// Each cycle as text, with file names instead of paths.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let (dir, root) = made_up(files);
    let folder = format!("{}/", dir.path().display());
    let found = cycles::cycles(&modules::arrows(&root).unwrap());
    found.iter().map(|cycle| cycle.to_string().replace(&folder, "")).collect()
}

#[test]
fn a_cycle_is_found_and_its_arrows_are_named() {
    let found = cycles_of(&[
        ("lib.rs", "mod gate;\nmod tracker;\nmod rules;\n"),
        ("gate.rs", "pub struct Region;\npub fn learn() -> crate::tracker::Track { todo!() }\n"),
        ("tracker.rs", "use crate::gate::Region;\n\npub struct Track(pub Region);\n"),
        ("rules.rs", "use crate::{gate, tracker};\npub fn apply(_: gate::Region, _: tracker::Track) {}\n"),
    ]);
    assert_eq!(
        found,
        ["2 modules need each other: gate, tracker\n  \
          gate -> tracker   crate::tracker::Track at gate.rs:2\n  \
          tracker -> gate   crate::gate::Region at tracker.rs:1"]
    );
}

#[test]
fn a_cycle_of_three_that_runs_through_folders_reexports_macros_and_aliases_is_found() {
    let found = cycles_of(&[
        ("lib.rs", "pub mod a;\nmod b;\nmod c;\npub use a::deep::Deep;\n"),
        ("a/mod.rs", "pub mod deep;\n"),
        ("a/deep.rs", "use crate::b as other;\npub struct Deep;\nfn f() { other::run(); }\n"),
        ("b.rs", "pub fn run() { println!(\"{}\", crate::c::NAME); }\n"),
        ("c.rs", "pub const NAME: &str = \"c\";\nfn g(_: crate::Deep) {}\n"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("3 modules need each other: a::deep, b, c\n"), "{}", found[0]);
    for arrow in [
        "a::deep -> b   other::run at a/deep.rs:3",
        "b -> c   crate::c::NAME at b.rs:1",
        "c -> a::deep   crate::Deep at c.rs:2",
    ] {
        assert!(found[0].contains(arrow), "no {arrow:?} in\n{}", found[0]);
    }
}

#[test]
fn two_folders_that_need_each_other_are_a_cycle_though_no_file_of_them_is() {
    let found = cycles_of(&[
        ("lib.rs", "mod clip;\nmod proto;\n"),
        ("clip/mod.rs", "pub mod job;\npub mod maker;\n"),
        ("clip/job.rs", "pub struct Job;\n"),
        ("clip/maker.rs", "pub fn make(_: crate::proto::answer::Answer) {}\n"),
        ("proto/mod.rs", "pub mod answer;\npub mod question;\n"),
        ("proto/answer.rs", "pub struct Answer;\n"),
        ("proto/question.rs", "pub struct Question(pub crate::clip::job::Job);\n"),
    ]);
    assert_eq!(
        found,
        ["2 modules need each other: clip, proto\n  \
          clip -> proto   crate::proto::answer::Answer at clip/maker.rs:1\n  \
          proto -> clip   crate::clip::job::Job at proto/question.rs:1"]
    );
}

#[test]
fn a_parent_whose_words_its_child_uses_and_that_calls_the_child_is_a_cycle() {
    let found = cycles_of(&[
        ("lib.rs", "mod config;\n"),
        ("config.rs", "mod check;\npub struct Site;\npub fn parse() -> Site { check::site() }\n"),
        ("config/check.rs", "use super::*;\npub fn site() -> Site { Site }\n"),
    ]);
    assert_eq!(
        found,
        ["2 modules need each other: config, config::check\n  \
          config -> config::check   check::site at config.rs:3\n  \
          config::check -> config   Site at config/check.rs:2"]
    );
}

#[test]
fn what_is_no_cycle_is_left_alone() {
    // A face that only re-exports, a test that uses its parent, other crates and methods of the same name, inline modules.
    let found = cycles_of(&[
        (
            "lib.rs",
            "mod words;\nmod face;\npub use face::Public;\n#[cfg(test)]\nmod tests { use super::face::inner::run; }\n",
        ),
        ("words.rs", "pub struct Word;\nimpl Word { pub fn face(&self) -> serde_json::Value { todo!() } }\n"),
        ("face.rs", "mod inner;\npub use inner::Public;\nmod wide { pub struct Wide; }\n"),
        (
            "face/inner.rs",
            "use super::wide::Wide;\nuse crate::words::Word;\npub struct Public(Word, Wide);\npub fn run(w: &Word) { w.face(); }\n\
             #[cfg(test)]\nmod tests { use super::Public; use crate::face::Public as Same; }\n",
        ),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

fn one(name: &str, uses: &[&str]) -> Crate {
    let uses = uses.iter().map(|u| (*u).to_owned()).collect();
    Crate { name: name.to_owned(), description: format!("what {name} is"), uses, ..Crate::default() }
}

fn uses<const N: usize>(all: &mut [Crate], name: &str, uses: [&str; N]) {
    let one = all.iter_mut().find(|one| one.name == name).unwrap();
    one.uses.extend(uses.map(str::to_owned));
}

fn all_in_order() -> Vec<Crate> {
    let mut all: Vec<Crate> = crates::ORDER.iter().map(|name| one(name, &["serde"])).collect();
    uses(&mut all, "kerbside-wire", ["kerbside-domain"]);
    uses(&mut all, "kerbside-media", ["kerbside-domain", "kerbside-wire", "ffmpeg-next"]);
    all.push(one("kerbside-testkit", &["kerbside-wire"]));
    all
}

#[test]
fn an_edge_against_the_order_and_a_native_library_in_a_wrong_place_are_named() {
    let mut all = all_in_order();
    assert_eq!(crates::problems(&all), Vec::<String>::new());
    uses(&mut all, "kerbside-wire", ["kerbside-media", "kerbside-testkit"]);
    uses(&mut all, "kerbside-trace", ["opencv", "kerbside-trace"]);
    let gone = all.remove(1);
    assert_eq!(
        crates::problems(&all),
        [
            "kerbside-crypto: the order names it, the workspace does not have it",
            "kerbside-wire -> kerbside-media: stands before it in the order",
            "kerbside-wire -> kerbside-testkit: no crate of the agent, only for tests",
            "kerbside-trace -> kerbside-trace: stands before it in the order",
            "kerbside-trace -> opencv: only kerbside-media may use it",
        ]
    );
    assert_eq!(gone.name, "kerbside-crypto");
}

#[test]
fn the_picture_stands_between_its_marks_and_an_old_one_is_replaced() {
    let all = all_in_order();
    let document = "# A\n<!-- crates -->\nold\n<!-- /crates -->\nrest\n";
    let new = crates::with_picture(document, &all).unwrap();
    assert!(
        new.starts_with("# A\n<!-- crates -->\n```text\n") && new.ends_with("```\n<!-- /crates -->\nrest\n")
    );
    let media = new.lines().find(|line| line.starts_with("media")).unwrap();
    assert!(media.contains("-> domain wire") && media.ends_with("what kerbside-media is"), "{media}");
    assert_eq!(crates::with_picture(&new, &all).unwrap(), new);
    assert!(crates::with_picture("no marks", &all).is_err());
}

#[test]
fn an_error_that_shows_its_source_is_named() {
    let source = "#[derive(Error)]\nenum E {\n    #[error(\"{path}: {source}\")]\n    Read { path: P, source: Io },\n    \
        #[error(\"bad: {0}\")]\n    Bad(#[from] Other),\n    #[error(\"{path}: {cause}\")]\n    Named { path: P, cause: Io },\n    \
        #[error(transparent)]\n    Same(#[from] Other),\n    #[error(\"no text of it\")]\n    Apart(#[source] Other),\n    \
        #[error(\"{0}\")]\n    Text(String),\n}\n";
    let line = |n: usize| {
        format!("a.rs:{n}: this error prints its cause, and gives it as its source: it is shown twice")
    };
    assert_eq!(errors::of_file("a.rs", source).unwrap(), [line(3), line(5)]);
}

#[test]
fn clocks_and_sleeps_outside_their_files_are_named() {
    let clock = "#[allow(clippy::disallowed_methods)]\nfn now() {}\n";
    assert_eq!(sleeps::of_file("agent/domain/src/time.rs", clock).unwrap(), Vec::<String>::new());
    assert_eq!(
        sleeps::of_file("agent/link/src/shell.rs", clock).unwrap(),
        ["agent/link/src/shell.rs:1: reads a clock (invariant 1)"]
    );
    let source = "fn ships() { std::thread::sleep(d); }\n#[cfg(test)]\nmod tests {\n    use std::thread;\n    fn t() {\n        thread::sleep(d);\n    }\n}\n";
    assert_eq!(
        sleeps::of_file("agent/link/src/embedded.rs", source).unwrap(),
        ["agent/link/src/embedded.rs:6: a test sleeps; use testkit's wait"]
    );
    let test = "async fn t() { tokio::time::sleep(d).await; }";
    assert_eq!(sleeps::of_file("tests/tests/line.rs", test).unwrap().len(), 1);
    assert_eq!(
        sleeps::of_file(Path::new(sleeps::SLEEP).to_str().unwrap(), test).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn an_exception_without_a_date_a_reason_or_a_package_is_named() {
    let lock = "[[package]]\nname = \"old\"\nversion = \"0.1.2\"\n";
    let good = "    { id = \"RUSTSEC-2026-0001\", reason = \"2026-11-28, old 0.1.2: only its error type is used, by nobody\" },";
    let deny =
        |line: &str| format!("[graph]\n[advisories]\nignore = [\n{line}\n]\n[bans]\n# RUSTSEC-2020-0001\n");
    assert_eq!(exceptions::problems(&deny(good), lock).unwrap(), Vec::<String>::new());
    for (changed, why) in [
        (good.replace("2026-11-28, ", ""), "does not begin with a date"),
        (good.replace("0.1.2", "0.1.1"), "old 0.1.1 is no longer in Cargo.lock"),
        (good.replace("only its error type is used, by nobody", "ok"), "no reason"),
        ("    \"RUSTSEC-2026-0001\",".to_owned(), "no reason"),
    ] {
        let found = exceptions::problems(&deny(&changed), lock).unwrap();
        assert!(found.len() == 1 && found[0].contains(why), "{found:?}");
    }
    assert!(exceptions::problems("[bans]", lock).is_err());
}

#[test]
fn a_channel_without_a_bound_is_named() {
    let source = "fn f() {\n    let a = crossbeam_channel::unbounded();\n    let b = mpsc::channel::<u8>();\n    let c = tokio::sync::mpsc::channel(8);\n    oneshot::channel();\n}\n\
                  #[cfg(test)]\nmod tests { fn t() { unbounded(); } }\nfn g() { drop((unbounded_channel(), bounded(1))); }\n";
    assert_eq!(
        queues::of_file("agent/link/src/shell.rs", source).unwrap(),
        [2, 3, 9]
            .map(|line| format!("agent/link/src/shell.rs:{line}: a channel without a bound (invariant 4)"))
    );
}
