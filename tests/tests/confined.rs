//! An intruder in the real capture child of a running box: what its process is allowed, seen from outside, and what it gets when
//! a thread of it is taken over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // What fails here fails the test.
#![cfg(target_arch = "x86_64")]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kerbside_testkit::{Agent, Broker, Called, Cameras, Intruder, LIMIT, Site, clip, wait};
use rustix::process::Pid;

const EPERM: i64 = -1;
const ENOSYS: i64 = -38;
/// The signal that a filter of system calls sends.
const SIGSYS: i32 = 31;

/// The capture child of the agent.
fn child_of(agent: &Agent) -> Result<Pid> {
    let parent = agent.pid().context("no pid")?.as_raw_nonzero();
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ppid = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        ppid == Some(parent.get())
    };
    let all = || {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    };
    let found = wait::poll("a capture child", LIMIT, std::time::Duration::from_millis(50), || {
        Ok(all().find(is_child).ok_or_else(String::new))
    })?;
    Pid::from_raw(found).context("no pid")
}

fn status(pid: Pid, key: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("no {key}"))?.trim().to_owned())
}

#[test]
fn the_child_of_a_running_box_is_confined_and_the_camera_is_watched() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let cameras = Cameras::serve(&[("/cam1", &clip("quiet-day.mp4"))], true)?;
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[cameras.url(0)?])?;
    let agent = Agent::start(&site)?;
    agent.camera_state(0, "Watching", 0, LIMIT)?;
    let confined = agent.logged("confinement of the sealed child", LIMIT, |e| {
        e["confined"].as_str().is_some_and(|c| c.contains("and seccomp"))
    })?;
    let text = confined["confined"].as_str().unwrap_or_default();
    ensure!(text.starts_with("files yes") && text.ends_with("system calls yes (seccomp)"), "{text}");
    assert_eq!(agent.metric_sum("kerbside_camera_confined", &["cam1"])?, 3.0);

    let child = child_of(&agent)?;
    assert_eq!((status(child, "Seccomp")?, status(child, "NoNewPrivs")?), ("2".into(), "1".into()));
    assert_eq!(status(child, "CapEff")?, "0000000000000000");
    let of_child = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.as_raw_nonzero()));
    assert_eq!(of_child("oom_score_adj")?.trim(), "500", "memory that runs out costs a child");
    let limits = of_child("limits")?;
    for (limit, value) in [("Max core file size", "0"), ("Max file size", "0"), ("Max open files", "64")] {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit)).context(limit)?;
        assert_eq!(line.split_whitespace().next(), Some(value), "{limit}");
    }
    let environment = of_child("environ")?;
    ensure!(!environment.contains("KERBSIDE"), "{environment}");

    intrude(child, &agent, &site)?;
    // What ends the child costs the camera some seconds, and nothing else.
    agent.camera_state(0, "Watching", 1, LIMIT)?;
    agent.stop()
}

/// By hand into the child's thread that waits for commands. The last call ends the child.
fn intrude(child: Pid, agent: &Agent, site: &Site) -> Result<()> {
    let mut intruder = Intruder::enter(child, "commands")?;
    let text = |path: &Path| path.display().to_string();
    let here = libc_at_fdcwd();
    let box_key = text(&site.data_dir().join("box.key"));
    ensure!(Path::new(&box_key).exists(), "the box has a key");
    let parent = u64::from(agent.pid().context("no pid")?.as_raw_nonzero().get().unsigned_abs());
    let own = u64::from(child.as_raw_nonzero().get().unsigned_abs());
    // The last of a call's columns: the argument whose place a text takes.
    type Call<'a> = (&'a str, i64, [u64; 6], Option<(usize, &'a str)>, i64);
    let calls: [Call; 9] = [
        ("getpid, which shows that the way in works", 39, [0; 6], None, own as i64),
        ("read box.key", 257, [here, 0, 0, 0, 0, 0], Some((1, &box_key)), EPERM),
        ("read the site file", 257, [here, 0, 0, 0, 0, 0], Some((1, &text(site.path()))), EPERM),
        ("delete box.key", 263, [here, 0, 0, 0, 0, 0], Some((1, &box_key)), ENOSYS),
        ("a TCP socket", 41, [2, 1, 0, 0, 0, 0], None, EPERM),
        ("a UDP socket", 41, [2, 2, 0, 0, 0, 0], None, EPERM),
        ("a signal to the agent", 62, [parent, 0, 0, 0, 0, 0], None, EPERM),
        ("memory that is written and run", 9, [0, 4096, 7, 0x22, u64::MAX, 0], None, EPERM),
        ("a process", 56, [17, 0, 0, 0, 0, 0], None, EPERM),
    ];
    for (what, number, arguments, text, expected) in calls {
        assert_eq!(intruder.call(number, arguments, text)?, Called::Returned(expected), "{what}");
    }
    let shell = intruder.call(59, [0; 6], Some((0, "/bin/sh")))?;
    assert_eq!(shell, Called::Ended(SIGSYS), "a shell");
    Ok(())
}

/// "Relative to the working folder".
fn libc_at_fdcwd() -> u64 {
    (-100_i64) as u64
}

/// systemd's own filter comes before ours: what it refuses, no child can be confined with.
#[test]
fn the_unit_lets_the_agent_confine_its_children() -> Result<()> {
    let unit = std::fs::read_to_string(kerbside_testkit::repo().join("edge-config/kerbside.service"))?;
    let allowed: Vec<&str> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .filter(|line| !line.starts_with('~'))
        .flat_map(str::split_whitespace)
        .collect();
    for call in ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"] {
        ensure!(allowed.contains(&call), "{call} is in no group of systemd 252 (Debian 12)");
    }
    for line in [
        "UMask=0077",
        "StateDirectoryMode=0700",
        "NoNewPrivileges=yes",
        "StartLimitIntervalSec=0",
        "LimitCORE=0",
    ] {
        ensure!(unit.lines().any(|l| l == line), "{line}");
    }
    Ok(())
}
