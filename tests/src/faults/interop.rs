//! mosquitto with TLS, client certificates and a topic list per box: another box's topics stay closed, in both directions.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use kerbside_testkit::{Broker, LIMIT, Process, certificates};

use super::box_process::BoxProcess;
use super::row::{Row, Scale};

/// What a centre gives each of its boxes: its own root, and what is meant for it.
const ACL: &str = "user centre\ntopic readwrite cg/v1/#\n\n\
pattern write cg/v1/310112/%u/#\npattern read cg/v1/310112/%u/receipt\npattern read cg/v1/310112/%u/case\n\
pattern read cg/v1/310112/%u/cmd/+\npattern read cg/v1/310112/all/cmd/+\n";

/// Common names, which are user names for the broker.
const NAMES: [&str; 4] = ["server", "centre", "fault-box", "other-box"];

struct Peers<'a> {
    dir: &'a Path,
    port: u16,
}

impl Peers<'_> {
    fn client(&self, program: &str, who: &str) -> Command {
        let file = |name: String| self.dir.join(name);
        let mut command = Command::new(program);
        command.args(["-V", "5", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-i"]);
        command.arg(format!("{who}-{program}"));
        command.arg("--cafile").arg(file("ca.pem".into()));
        command.arg("--cert").arg(file(format!("{who}.pem"))).arg("--key").arg(file(format!("{who}.key")));
        command
    }

    /// Its own output waits in a buffer, so the broker's log says when it has subscribed.
    fn subscribes(&self, broker: &Broker, who: &str, filters: &[&str]) -> Result<Process> {
        let mut command = self.client("mosquitto_sub", who);
        command.arg("-v");
        for filter in filters {
            command.args(["-t", filter]);
        }
        let process = Process::start("mosquitto_sub", command)?;
        let answered = format!("Sending SUBACK to {who}-mosquitto_sub");
        broker.logged(&format!("subscription of {who}"), |line| line.contains(&answered))?;
        Ok(process)
    }

    /// Its exit code is no matter: some brokers say that they refuse, some do not.
    fn publishes(&self, who: &str, topic: &str, payload: &str) -> Result<()> {
        self.client("mosquitto_pub", who)
            .args(["-t", topic, "-m", payload])
            .output()
            .context("mosquitto_pub")
            .map(drop)
    }
}

pub fn run(_: Scale) -> Result<Vec<Row>> {
    let mut row = Row::new("another box's topics", "mosquitto, TLS 1.3, client certificates, topic ACL");
    let dir = tempfile::tempdir()?;
    certificates(dir.path(), &NAMES)?;
    let broker = broker(dir.path())?;
    let port = broker.port();
    let peers = Peers { dir: dir.path(), port };

    let centre = peers.subscribes(&broker, "centre", &["cg/v1/#"])?;
    let other = peers.subscribes(
        &broker,
        "other-box",
        &["cg/v1/310112/fault-box/#", "cg/v1/310112/other-box/cmd/+"],
    )?;
    let tls = dir.path().to_string_lossy().into_owned();
    let mut box_ =
        BoxProcess::start(&dir.path().join("data"), &["--broker", &port.to_string(), "--tls", &tls])?;
    box_.ready()?;
    box_.report("01OWN", 3, 1)?;
    for id in box_.durable("01OWN", 3)? {
        centre
            .until("the box's report", LIMIT, |lines| lines.iter().any(|l| l.contains(&id)).then_some(()))?;
    }

    // The other box forges: a command and a receipt to the box, a report in its name.
    let root = "cg/v1/310112/fault-box";
    let receipt = String::from_utf8(super::writer::receipt("01OWN000000000000000000000.0001"))?;
    for (topic, payload) in [
        ("cmd/restart", "{\"forged\":1}"),
        ("receipt", receipt.as_str()),
        ("matter/06010/opened", "{\"forged\":2}"),
    ] {
        peers.publishes("other-box", &format!("{root}/{topic}"), payload)?;
        row.trials += 1;
    }
    // What the centre says comes, and shows that whatever was before it would have come.
    let last = String::from_utf8(super::writer::receipt("01OWN000000000000000000002.0001"))?;
    peers.publishes("centre", &format!("{root}/receipt"), &last)?;
    let mut receipts = 0;
    while receipts == 0 {
        let stats = box_.stats()?;
        receipts = stats["receipts"].as_u64().unwrap_or(0);
        row.must(stats["commands"] == 0 && stats["refused"] == 0, || {
            format!("the box obeyed the other one: {stats}")
        });
    }
    row.must(receipts == 1, || format!("{receipts} receipts, one of them forged"));
    peers.publishes("centre", "cg/v1/310112/other-box/cmd/marker", "marker")?;
    other.until("the marker", LIMIT, |lines| lines.iter().any(|l| l.contains("marker")).then_some(()))?;
    let overheard =
        other.lines().iter().filter(|l| l.contains("01OWN") || l.contains("/fault-box/matter")).count();
    row.must(overheard == 0, || format!("the other box overheard {overheard} lines"));
    let forged = centre.lines().iter().filter(|l| l.contains("\"forged\"")).count();
    row.must(forged == 0, || format!("{forged} forged messages reached the centre's side"));
    row.trials += 2;
    box_.stop()?;
    row.figures = "forged command, receipt and report refused; nothing overheard".to_owned();
    row.judge(None);
    Ok(vec![row])
}

fn broker(dir: &Path) -> Result<Broker> {
    std::fs::write(dir.join("acl"), ACL)?;
    let settings = format!(
        "cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\nrequire_certificate true\n\
         use_identity_as_username true\nacl_file {0}/acl\nlog_type all\n",
        dir.display()
    );
    Broker::with_settings(dir, &settings)
}
