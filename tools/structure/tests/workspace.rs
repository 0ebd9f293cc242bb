//! The rules on the workspace itself.

#![allow(clippy::unwrap_used, clippy::expect_used)] // What fails here fails the test.

use std::path::{Path, PathBuf};

use kerbside_structure::{crates, cycles, errors, exceptions, modules, queues, sleeps};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect(name)
}

/// Invariant 3, and the order of ARCHITECTURE.md.
#[test]
fn every_crate_uses_only_those_before_it_and_native_libraries_stay_where_they_are() {
    let all = crates::read(&root()).unwrap();
    assert_eq!(crates::problems(&all), Vec::<String>::new());
}

#[test]
fn the_picture_of_the_crates_is_todays() {
    let all = crates::read(&root()).unwrap();
    let document = text("ARCHITECTURE.md");
    let new = crates::with_picture(&document, &all).unwrap();
    assert!(new == document, "run `tools/crates --write`; it would draw\n{}", crates::picture(&all));
}

/// Invariant 15.
#[test]
fn no_crate_has_a_cycle_of_modules() {
    let mut found = Vec::new();
    let mut count = 0;
    for one in crates::read(&root()).unwrap() {
        for root in &one.roots {
            let arrows = modules::arrows(Path::new(root)).unwrap();
            count += arrows.len();
            found.extend(cycles::cycles(&arrows).iter().map(|cycle| format!("{}: {cycle}", one.name)));
        }
    }
    assert!(count > 1000, "only {count} arrows: the source was not read");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// Invariant 1.
#[test]
fn clocks_are_read_and_tests_sleep_in_one_place_each() {
    assert_eq!(sleeps::problems(&root()).unwrap(), Vec::<String>::new());
    let clippy = text("clippy.toml");
    for clock in ["std::time::SystemTime::now", "std::time::Instant::now"] {
        assert!(clippy.contains(clock), "clippy.toml lets everybody call {clock}");
    }
    assert!(text("Cargo.toml").contains("disallowed_methods = \"deny\""));
}

/// Of invariant 4 what can be read from the source: queues are channels, and each has a bound.
#[test]
fn no_channel_of_the_agent_is_without_a_bound() {
    assert_eq!(queues::problems(&root()).unwrap(), Vec::<String>::new());
}

#[test]
fn no_error_prints_its_cause_twice() {
    assert_eq!(errors::problems(&root()).unwrap(), Vec::<String>::new());
}

#[test]
fn every_exception_to_an_advisory_has_a_date_a_reason_and_a_package() {
    assert_eq!(exceptions::problems(&text("deny.toml"), &text("Cargo.lock")).unwrap(), Vec::<String>::new());
}

#[test]
fn every_test_that_a_document_names_exists() {
    for (document, at_least) in [("ARCHITECTURE.md", 15), ("tests/README.md", 21)] {
        let text = text(document);
        let named: Vec<_> = text.split('`').filter_map(|token| token.split_once(".rs::")).collect();
        assert!(named.len() >= at_least, "{document} names {} tests", named.len());
        for (file, name) in named {
            let source = std::fs::read_to_string(root().join(file).with_extension("rs")).unwrap_or_default();
            assert!(source.contains(&format!("fn {name}(")), "{document}: there is no {file}.rs::{name}");
        }
    }
}
