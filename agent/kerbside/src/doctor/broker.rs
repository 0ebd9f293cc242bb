//! The centre's broker: what a running agent says of its link, or else what a try shows.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use kerbside_domain::time::Clock;
use kerbside_link::{LinkHealth, LinkProblem, LinkSettings, LinkStatus, probe};
use kerbside_site::config::Site;
use kerbside_site::host::authority;
use kerbside_wire::Identity;
use serde_json::Value;

use super::finding::{Area, Finding};
use super::network;

/// The health page of a running agent answers within that.
const PAGE_LIMIT: Duration = Duration::from_secs(3);
/// Longest page that is read, bytes.
const PAGE_BYTES: u64 = 1 << 20;
const UNREACHABLE: &str = "check cable, SIM, firewall and proxy; reports wait on the disk until it answers";

/// A try would take the session of an agent that runs; so that is asked first.
/// `page`: of the agent that runs here.
pub(super) fn check(site: &Site, clock: &dyn Clock, page: Option<&Value>) -> Vec<Finding> {
    let centre = &site.centre;
    let place = authority(&centre.host, centre.port);
    match page.and_then(|page| page.get("link")) {
        Some(link) => of_page(&place, link),
        None if centre.proxy.is_none() => match network::connect(&centre.host, centre.port) {
            Ok(_) => of_status(&place, &tried(site, clock)),
            Err(why) => vec![Finding::wrong(Area::Centre, format!("{place}: {why}"), UNREACHABLE)],
        },
        None => of_status(&place, &tried(site, clock)),
    }
}

/// What `/healthz` says; `None`: no agent runs here.
pub(super) fn page(site: &Site) -> Option<Value> {
    let mut stream = std::net::TcpStream::connect_timeout(&site.health.listen, PAGE_LIMIT).ok()?;
    stream.set_read_timeout(Some(PAGE_LIMIT)).ok()?;
    stream.set_write_timeout(Some(PAGE_LIMIT)).ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(PAGE_BYTES).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

fn of_page(place: &str, link: &Value) -> Vec<Finding> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let why = text(&link["why"]);
    let mut findings = match link["state"].as_str() {
        Some("up") => vec![Finding::good(Area::Centre, format!("{place}: the running agent is connected"))],
        Some("no_progress") => {
            let what = format!("{place}: the link makes no progress: {why}");
            vec![Finding::wrong(
                Area::Centre,
                what,
                "look at what follows, at the broker's log and at the disk",
            )]
        }
        _ => {
            let what = format!("{place}: the running agent is not connected: {why}");
            vec![Finding::wrong(Area::Centre, what, UNREACHABLE)]
        }
    };
    let problems = link["problems"].as_array().into_iter().flatten();
    findings.extend(problems.map(|problem| {
        let known = LinkProblem::ALL.into_iter().find(|known| problem["problem"] == known.as_str());
        finding(known, place, &text(&problem["what"]), text(&problem["cure"]))
    }));
    findings
}

fn of_status(place: &str, status: &LinkStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    if status.health == LinkHealth::Up {
        findings.push(Finding::good(Area::Centre, format!("{place} answers, and lets this box in")));
    } else if !status.problems.contains_key(&LinkProblem::NotLetIn) {
        let why = status.why.as_deref().unwrap_or("no answer to CONNECT");
        findings.push(Finding::wrong(Area::Centre, format!("{place}: {why}"), UNREACHABLE));
    }
    let problems = status.problems.iter();
    findings.extend(problems.map(|(p, what)| finding(Some(*p), place, what, p.cure().to_owned())));
    findings
}

/// What costs reports, or the answers to them, is wrong; the rest works in another way.
fn finding(problem: Option<LinkProblem>, place: &str, what: &str, cure: String) -> Finding {
    let works = [LinkProblem::NoRetain, LinkProblem::OldProtocol, LinkProblem::TopicsRefused];
    let what = format!("{place}: {what}");
    match problem.filter(|problem| works.contains(problem)) {
        Some(_) => Finding::advice(Area::Centre, what, cure),
        None => Finding::wrong(Area::Centre, what, cure),
    }
}

fn tried(site: &Site, clock: &dyn Clock) -> LinkStatus {
    let settings = LinkSettings::new(&site.centre, &site.device.edge_id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(probe(settings, &Identity::from_site(site), clock)),
        Err(error) => LinkStatus { why: Some(error.to_string()), ..LinkStatus::default() },
    }
}
