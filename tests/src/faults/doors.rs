//! What strangers can open: half requests at the health pages, and a recorded grant that comes again and again. Each row has a
//! counterpart without the bound, on which the same measure must say no.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kerbside_testkit::wait::{self, now};
use kerbside_testkit::{Agent, Broker, Centre, LIMIT, Site, command, free_port};
use kerbside_trace::delivery::{Item, Ledger, StageInput};
use kerbside_wire as wire;

use super::row::{Row, Scale};
use super::writer;

/// File handles of the box: what a small service is given.
const HANDLES: u32 = 512;
/// Half requests: more than there are handles.
const HALVES: usize = 600;
/// What may still be open some seconds later.
const MAY_STAY: usize = 16;

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![half_requests(scale)?, replayed_grants(scale)?])
}

/// Alarms of these go to the centre while the connections are held.
fn sensors(count: u64) -> String {
    let one = |i| {
        format!(
            "\n[[sensor]]\nid = \"bin-{i}\"\nkind = \"bin_level\"\ntopic = \"sensors/bin-{i}\"\nunit = \"%\"\n\
             alarm_above = 85.0\nalarm_for_s = 0\n"
        )
    };
    (1..=count).map(one).collect()
}

fn half_requests(scale: Scale) -> Result<Row> {
    let mut row = Row::new(
        "half requests at the health pages",
        "600 connections that never end their request, a box with 512 file handles",
    );
    let alarms = scale.pick(3, 10);
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let local = tempfile::tempdir()?;
    let readings = Broker::start(local.path())?;
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    site.add_sensors(&readings, receiver.local_addr()?, &sensors(alarms))?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::launch(with_few_handles(&site)?)?;
    agent.connected()?;

    let begun = now();
    let held = Halves::open(agent.health_port())?;
    for i in 1..=alarms {
        let reading = ["-m", r#"{"value": 91.5, "unit": "%"}"#];
        readings.publish_retained(&format!("sensors/bin-{i}"), reading)?;
        row.trials += 1;
    }
    let came = centre.until("every alarm", "sensor.alarm", LIMIT, |all| {
        (all.len() as u64 >= alarms).then_some(all.len() as u64)
    });
    row.lost = alarms.saturating_sub(came.unwrap_or(0));
    row.took(begun.elapsed().as_secs_f64());
    let stayed = held.stay_open()?;
    row.must(stayed <= MAY_STAY, || format!("{stayed} of {HALVES} half requests are still open"));
    drop(held);
    // The last sixteen leave one by one.
    let refused = wait::poll("the page when they have left", LIMIT, Duration::from_millis(200), || {
        let turned_away = agent.metric_sum("kerbside_dropped_total", &["health_connection"]);
        Ok(turned_away.map_err(|error| format!("{error:#}")))
    })?;
    row.must(refused > 0.0, || "nobody was counted".to_owned());
    agent.stop()?;

    let control = held_by_nobody_in_particular()?;
    row.must(control > MAY_STAY, || {
        format!("a listener without bounds holds only {control}: the measure is blind")
    });
    row.figures =
        format!("{stayed} open after 10 s, {refused} turned away; a listener without bounds holds {control}");
    row.judge(Some(30.0));
    Ok(row)
}

/// `kerbside run` as an account with a low limit starts it.
fn with_few_handles(site: &Site) -> Result<Command> {
    let run = command(&["run", "--config", &site.path().to_string_lossy()])?;
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {HANDLES}; exec \"$0\" \"$@\"")]);
    limited.arg(run.get_program()).args(run.get_args());
    limited.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ok(limited)
}

/// Connections with half a request each.
struct Halves(Vec<TcpStream>);

impl Halves {
    fn open(port: u16) -> Result<Halves> {
        let one = |_| -> Result<TcpStream> {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            // Whoever is hung up on at once cannot write.
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n");
            Ok(stream)
        };
        (0..HALVES).map(one).collect::<Result<_>>().map(Halves)
    }

    /// How many are open after 10 s, or when few are.
    fn stay_open(&self) -> Result<usize> {
        let mut open = HALVES;
        let few =
            wait::poll("most of them closed", Duration::from_secs(10), Duration::from_millis(200), || {
                open = self.0.iter().filter(|stream| is_open(stream)).count();
                Ok(if open <= MAY_STAY { Ok(()) } else { Err(format!("{open} are open")) })
            });
        drop(few);
        Ok(open)
    }
}

fn is_open(mut stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    matches!(stream.read(&mut [0; 64]), Err(e) if e.kind() == ErrorKind::WouldBlock)
}

/// The same against a listener that takes everybody and waits for ever.
fn held_by_nobody_in_particular() -> Result<usize> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let (stop, stopped) = mpsc::channel::<()>();
    let taker = std::thread::spawn(move || {
        let taken: Vec<TcpStream> = listener.incoming().take(HALVES).filter_map(Result::ok).collect();
        // Ends when the measure is done with them.
        let _ = stopped.recv();
        taken.len()
    });
    let held = Halves::open(port)?.stay_open()?;
    drop(stop);
    taker.join().ok().context("the listener without bounds")?;
    Ok(held)
}

/// Followed once; the same signed text afterwards brings nothing, at once, after a stop and after a kill.
fn replayed_grants(scale: Scale) -> Result<Row> {
    let mut row =
        Row::new("grants of the centre, replayed", "one signed grant given to the ledger of a box in bursts");
    let burst = scale.pick(50, 300);
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("box");
    let mut ledger = writer::open(&folder)?.0;
    let recorded = writer::grant("g-recorded", ledger.now());
    let StageInput::Grant(grant) = heard(&mut ledger, &recorded)?.context("a true grant was not followed")?
    else {
        anyhow::bail!("a grant that is none");
    };
    let over = wire::evidence_ready(&grant, 3, ledger.now());
    ledger.commit(vec![Item::Message(Box::new(over))])?;
    let written = ledger.stats().last_n;
    for end in ["at once", "stop", "kill"] {
        if end != "at once" {
            if end == "stop" {
                ledger.close()?;
            }
            drop(ledger);
            ledger = writer::open(&folder)?.0;
        }
        for _ in 0..burst {
            row.trials += 1;
            let again = heard(&mut ledger, &recorded)?;
            row.duplicated += u64::from(again.is_some());
        }
        let waiting = ledger.inputs().len();
        row.must(waiting == 0, || format!("{end}: {waiting} uploads wait"));
    }
    let grown = ledger.stats().last_n - written;
    row.must(grown < 20, || format!("the journal grew by {grown} records"));

    // The same measure on grants that are each a new one.
    let mut news = 0;
    for i in 0..10 {
        let fresh = writer::grant(&format!("g-{i}"), ledger.now());
        news += u64::from(heard(&mut ledger, &fresh)?.is_some());
    }
    row.must(news == 10, || format!("of 10 new grants {news} were followed: the measure is blind"));
    row.figures = format!("{grown} records more; of 10 new ones {news} followed");
    row.judge(None);
    Ok(row)
}

fn heard(ledger: &mut Ledger, grant: &[u8]) -> Result<Option<StageInput>> {
    let topic = format!("{}/grant", wire::topic::root("310112", "fault-box"));
    Ok(ledger.incoming(&topic, grant, false)?.map(|stored| stored.input))
}
