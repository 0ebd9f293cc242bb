//! A day of work in minutes: two cameras on which things come and go all the time, a centre that receipts, a broker that is
//! started anew now and then. Memory, descriptors, threads and the journal's bytes a report must be as flat at the end as after
//! the start.
//!
//! The reports of a day are what is compressed: a street corner has some ten a day, this one has as many in a minute.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::rtsp::{Camera, CameraFault, Film};
use kerbside_testkit::wait::{now, sleep_until};
use kerbside_testkit::{Agent, Broker, Centre, Site, clip};

use super::row::{Row, Scale};

/// How long it runs in full.
const FULL: Duration = Duration::from_secs(18 * 60);
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// The broker is started anew, and one camera cut off, every so many samples.
const DISTURBED_EVERY: usize = 30;
/// What memory may grow by between the two spans that are compared: allocators breathe by this much.
const MEMORY_SHARE: f64 = 0.03;
/// Descriptors and threads that may be open for a moment: a connection, a clip in the making.
const PASSING: f64 = 3.0;
/// The journal's bytes a report may vary with what was seen.
const JOURNAL_SHARE: f64 = 0.25;

/// What the program holds at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    memory: f64,
    descriptors: f64,
    threads: f64,
    journal: f64,
    reports: f64,
}

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let how = "two looping cameras, a broker that is started anew, receipts";
    if scale == Scale::Short {
        return Ok(Vec::new());
    }
    let mut row = Row::new("a day's reports in 18 minutes", how);
    let dir = tempfile::tempdir()?;
    let samples = soak(dir.path())?;
    row.trials = samples.last().map_or(0, |last| last.reports as u64);
    judge(&mut row, &samples);
    Ok(vec![row])
}

fn soak(dir: &Path) -> Result<Vec<Sample>> {
    let film = |name: &str| -> Result<_> {
        let file = clip(&format!("{name}.mp4")).to_string_lossy().into_owned();
        Film::encode(dir, name, &["-i", &file], 20)
    };
    let (bags, stalls) = (Camera::start(film("bag-left")?)?, Camera::start(film("stall-setup")?)?);
    let mut broker = Broker::start(dir)?;
    let site = Site::of_scene(dir, "kerb-day.site.toml", &broker, &[&bags.url(), &stalls.url()])?;
    // What comes back after a few seconds is a new incident each time: more reports, more evidence.
    site.edit(|text| text.replace("repeat_s = 600", "repeat_s = 1"))?;
    let _centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;
    agent.watching("cam1")?;
    agent.watching("cam2")?;
    let begun = now();
    let mut samples = Vec::new();
    while begun.elapsed() < FULL {
        sleep_until(begun + SAMPLE_EVERY * (samples.len() as u32 + 1));
        samples.push(sample(&agent, &site)?);
        if samples.len() % DISTURBED_EVERY == 0 {
            broker.kill()?;
            broker.resume()?;
            stalls.set(CameraFault::Refused);
            stalls.set(CameraFault::None);
        }
        let last = samples.last().copied().unwrap_or_default();
        eprint!(
            "\rsoak {:5.0} s: {:6.1} MB, {} descriptors, {} threads, {} reports ",
            begun.elapsed().as_secs_f64(),
            last.memory / 1e6,
            last.descriptors,
            last.threads,
            last.reports
        );
    }
    eprintln!();
    agent.stop()?;
    Ok(samples)
}

fn sample(agent: &Agent, site: &Site) -> Result<Sample> {
    let pid = agent.pid().context("it runs")?.as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok());
    let journal = std::fs::read_dir(site.data_dir().join("journal"))?.flatten();
    Ok(Sample {
        memory: agent.memory()? as f64,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
        threads: threads.context("Threads in its status")?,
        journal: journal.filter_map(|file| Some(file.metadata().ok()?.len() as f64)).sum(),
        reports: agent.metric_sum("kerbside_reports_total", &[])?,
    })
}

/// Compares the second quarter, when caches and rings are full, with the last one.
fn judge(row: &mut Row, samples: &[Sample]) {
    let quarter = samples.len() / 4;
    if quarter == 0 {
        row.must(false, || "no samples".to_owned());
        return;
    }
    let (early, late) = (&samples[quarter..2 * quarter], &samples[3 * quarter..]);
    let grown = |what: fn(&Sample) -> f64| (median(early, what), median(late, what));
    let (memory, descriptors, threads) =
        (grown(|s| s.memory), grown(|s| s.descriptors), grown(|s| s.threads));
    row.must(memory.1 <= memory.0 * (1.0 + MEMORY_SHARE), || {
        format!("memory {:.1} -> {:.1} MB", memory.0 / 1e6, memory.1 / 1e6)
    });
    row.must(descriptors.1 <= descriptors.0 + PASSING, || {
        format!("descriptors {} -> {}", descriptors.0, descriptors.1)
    });
    row.must(threads.1 <= threads.0 + PASSING, || format!("threads {} -> {}", threads.0, threads.1));
    let (first, last) = (bytes_a_report(early), bytes_a_report(late));
    match (first, last) {
        (Some(first), Some(last)) => {
            row.must(last <= first * (1.0 + JOURNAL_SHARE), || {
                format!("the journal takes {first:.0}, then {last:.0} bytes a report")
            });
        }
        _ => row.must(false, || "too few reports to judge the journal".to_owned()),
    }
    row.figures = format!(
        "memory {:.1} -> {:.1} MB, descriptors {} -> {}, threads {} -> {}, journal {:.1} -> {:.1} KB a report \
         (medians of the second and the last quarter)",
        memory.0 / 1e6,
        memory.1 / 1e6,
        descriptors.0,
        descriptors.1,
        threads.0,
        threads.1,
        first.unwrap_or(f64::NAN) / 1e3,
        last.unwrap_or(f64::NAN) / 1e3
    );
}

fn bytes_a_report(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    let reports = last.reports - first.reports;
    (reports >= 1.0).then(|| (last.journal - first.journal) / reports)
}

fn median(samples: &[Sample], what: fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(what).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with one thing that grows by this much a sample.
    fn grows(by: Sample) -> Row {
        let at = |i: usize| Sample {
            memory: 100e6 + by.memory * i as f64,
            descriptors: 40.0 + by.descriptors * i as f64,
            threads: 25.0 + by.threads * i as f64,
            journal: 30e3 * i as f64 + by.journal * (i * i) as f64,
            reports: i as f64 * (1.0 - by.reports),
        };
        let samples: Vec<Sample> = (0..200).map(at).collect();
        let mut row = Row::new("soak", "scripted");
        judge(&mut row, &samples);
        row
    }

    #[test]
    fn what_is_flat_holds_and_each_leak_is_found() {
        assert!(grows(Sample::default()).held);
        let leaks = [
            Sample { memory: 0.1e6, ..Sample::default() },
            Sample { descriptors: 0.1, ..Sample::default() },
            Sample { threads: 0.1, ..Sample::default() },
            Sample { journal: 200.0, ..Sample::default() },
            Sample { reports: 1.0, ..Sample::default() },
        ];
        for leak in leaks {
            assert!(!grows(leak).held, "{leak:?}");
        }
    }
}
