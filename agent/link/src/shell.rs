//! The task around the machine: drives the connection, carries events in and actions out. No decision of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::{Clock, Mono};
use kerbside_trace::delivery::{LinkPort, LinkReport, LinkRequest, Room};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::client::{Connection, LastWill, Wire};
use crate::machine::{LinkAction, LinkChange, LinkEvent, Machine, Terms};
use crate::renewal::Renewal;
use crate::settings::LinkSettings;
use crate::tuning::GOODBYE;

/// What comes next.
enum Next {
    Event(LinkEvent),
    /// There is room for the oldest report.
    Room(Room),
    /// It is time to look at the files that vouch for the box.
    Renewal,
    /// The store thread is gone: nothing can be made durable, so nothing may be acknowledged.
    StoreGone,
}

struct Shell {
    settings: LinkSettings,
    port: LinkPort,
    clock: Arc<dyn Clock>,
    machine: Machine,
    wire: Wire,
    /// Reports without room in the store thread's line. While there are any nothing is read, so there are few.
    reports: VecDeque<LinkReport>,
    is_paused: bool,
    stop: watch::Receiver<Option<f64>>,
    stopping: bool,
    renewal: Renewal,
}

/// Runs until the machine is finished.
pub async fn run(
    settings: LinkSettings,
    port: LinkPort,
    clock: Arc<dyn Clock>,
    stop: watch::Receiver<Option<f64>>,
) {
    let machine = settings.machine(&port.who, port.session_base);
    let machine = Machine::new(machine, fastrand::u64(..), clock.now().mono);
    let renewal = Renewal::new(settings.renewal_s);
    let mut shell = Shell {
        settings,
        port,
        clock,
        machine,
        wire: Wire::None,
        reports: VecDeque::new(),
        is_paused: false,
        stop,
        stopping: false,
        renewal,
    };
    while shell.turn().await {}
    shell.settings.status.set(shell.machine.status());
}

impl Shell {
    fn now(&self) -> Mono {
        self.clock.now().mono
    }

    /// Waits for what comes next and acts on it. False: the end.
    async fn turn(&mut self) -> bool {
        self.note_pause();
        match self.next().await {
            Next::Event(event) => self.machine.push(self.now(), event),
            Next::Room(room) => {
                let report = self.reports.pop_front();
                if report.is_some_and(|report| !self.port.reporter.report_into(room, report)) {
                    return false;
                }
            }
            Next::Renewal => self.renew(),
            Next::StoreGone => return false,
        }
        // What the store thread has ready goes with it: otherwise a busy network would let its requests pile up.
        while let Ok(request) = self.port.requests.try_recv() {
            self.request(request);
        }
        let goes_on = self.act().await;
        self.settings.status.set(self.machine.status());
        goes_on
    }

    /// Nothing is lost when it is not awaited to its end.
    async fn next(&mut self) -> Next {
        let wait_s = self.machine.deadline().map_or(3600.0, |due| due.since_s(self.now())).max(0.001);
        let (oldest, reporter) = (self.reports.front(), &self.port.reporter);
        let room = async {
            match oldest {
                Some(report) => reporter.room(report).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            room = room => room.map_or(Next::StoreGone, Next::Room),
            event = self.wire.event(self.reports.is_empty()) => Next::Event(event),
            request = self.port.requests.recv() => {
                request.map_or(Next::StoreGone, |request| Next::Event(LinkEvent::Request(request)))
            }
            () = self.renewal.due() => Next::Renewal,
            () = tokio::time::sleep(Duration::from_secs_f64(wait_s)) => Next::Event(LinkEvent::Tick),
            grace_s = stopped(&mut self.stop), if !self.stopping => {
                self.stopping = true;
                Next::Event(LinkEvent::Stop { grace_s })
            }
        }
    }

    fn request(&mut self, request: LinkRequest) {
        self.machine.push(self.now(), LinkEvent::Request(request));
    }

    /// Tells the machine when reading stops and when it goes on.
    fn note_pause(&mut self) {
        let has_reports = !self.reports.is_empty();
        let is_paused = has_reports || self.wire.open().is_some_and(|connection| !connection.has_room());
        if self.is_paused != is_paused {
            self.is_paused = is_paused;
            self.machine.push(self.now(), LinkEvent::Paused(is_paused));
        }
    }

    fn renew(&mut self) {
        self.renewal.warn(&self.settings, self.clock.now());
        if self.wire.open().is_some() && self.renewal.replaced(&self.settings) {
            info!("certificates were replaced: connecting anew");
            self.machine.push(self.now(), LinkEvent::Renewed);
        }
    }

    /// Does what the machine wants. False: the end.
    async fn act(&mut self) -> bool {
        while let Some(action) = self.machine.pull() {
            match action {
                LinkAction::Connect { session, terms } => self.connect(session, terms),
                LinkAction::Drop => self.wire = Wire::None,
                LinkAction::Disconnect => {
                    self.report_all().await;
                    self.wire.disconnect().await;
                    info!("link: said offline and disconnected");
                    return false;
                }
                LinkAction::Finished => {
                    self.report_all().await;
                    return false;
                }
                LinkAction::Report(report) => self.reports.push_back(report),
                LinkAction::Log(change) => self.log(change),
                LinkAction::Subscribe(filters) => {
                    let subscribed = self.wire.open().map(|connection| connection.subscribe(filters));
                    if let Some(Err(e)) = subscribed {
                        let lost = LinkEvent::Lost { why: e.to_string(), by_peer: false };
                        self.machine.push(self.now(), lost);
                    }
                }
                LinkAction::Publish(outgoing) => self.on_wire(|connection| connection.publish(outgoing)),
                LinkAction::Ack { token } => self.on_wire(|connection| connection.acknowledge(token)),
                LinkAction::Ping => self.on_wire(Connection::ping),
            }
        }
        true
    }

    /// Without a connection it is for one that is gone.
    fn on_wire(&mut self, act: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.wire.open() {
            act(connection);
        }
    }

    fn connect(&mut self, session: u64, terms: Terms) {
        let at = self.clock.now();
        let will = LastWill::new(&self.port.who, session, at);
        self.renewal.in_use(&self.settings);
        self.wire = Wire::opening(&self.settings, terms, will);
    }

    /// What is left to report, within the time of a goodbye.
    async fn report_all(&mut self) {
        let reports = std::mem::take(&mut self.reports);
        let reporter = &self.port.reporter;
        let all = async move {
            for report in reports {
                if !reporter.report(report).await {
                    break;
                }
            }
        };
        // A disk that hangs is left all the same: what was not reported is sent again at the next start.
        let _ = tokio::time::timeout(GOODBYE, all).await;
    }

    fn log(&self, change: LinkChange) {
        let centre = &self.settings.centre;
        let (host, port) = (centre.host.as_str(), centre.port);
        match change {
            LinkChange::Up { session, session_present } => {
                info!(host, port, session, session_present, "link up")
            }
            LinkChange::Down { why } => warn!(host, port, why, "link lost; reports wait on the disk"),
            LinkChange::StillDown { why } => warn!(host, port, why, "link cannot be made; trying on"),
            LinkChange::NoProgress { why } => error!(host, port, why, "link makes no progress"),
            LinkChange::Progress => info!(host, port, "link makes progress again"),
            LinkChange::Problem { problem, what } => {
                let (problem, cure) = (problem.as_str(), problem.cure());
                warn!(host, port, problem, what, cure, "link: something to put right")
            }
            LinkChange::Solved(problem) => info!(host, port, problem = problem.as_str(), "link: put right"),
        }
    }
}

/// When the stop is requested; never if the handle was dropped without one.
async fn stopped(stop: &mut watch::Receiver<Option<f64>>) -> f64 {
    let grace_s = stop.wait_for(Option::is_some).await.ok().and_then(|grace_s| *grace_s);
    match grace_s {
        Some(grace_s) => grace_s,
        None => std::future::pending().await,
    }
}
