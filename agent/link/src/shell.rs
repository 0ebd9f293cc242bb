//! The task around the machine: polls the client, carries events in and actions out. No decision of its own.

use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::time::{Clock, Mono};
use kerbside_trace::delivery::{LinkPort, LinkReport};
use kerbside_wire::{Presence, state};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::client::{self, Polled, Poller, Sender, Will};
use crate::error::LinkError;
use crate::machine::{LinkAction, LinkChange, LinkEvent, Machine};
use crate::renewal::Renewal;
use crate::settings::LinkSettings;
use crate::tuning::GOODBYE;

/// What came besides the network.
enum Beside {
    Event(LinkEvent),
    Nothing,
    /// The store thread is gone: nothing can be made durable, so nothing may be acknowledged.
    StoreGone,
}

/// What the shell does besides acting at once.
enum Next {
    /// Poll the client on.
    Go,
    /// A new client is needed, or none.
    Client(Option<(Sender, Poller)>),
    Disconnect,
    Finished,
}

struct Shell {
    settings: LinkSettings,
    port: LinkPort,
    clock: Arc<dyn Clock>,
    machine: Machine,
    sender: Option<Sender>,
    next_token: u64,
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
    let mut shell =
        Shell { settings, port, clock, machine, sender: None, next_token: 0, stop, stopping: false, renewal };
    let mut poller: Option<Poller> = None;
    loop {
        // A poll that was begun is kept until it brings something; only a client that is thrown away is cut off.
        let next = match &mut poller {
            Some(poller) => {
                let mut poll = std::pin::pin!(poller.poll());
                loop {
                    let beside = tokio::select! {
                        polled = &mut poll => break shell.polled(polled).await,
                        beside = shell.beside() => beside,
                    };
                    match shell.serve(beside).await {
                        Next::Go => {}
                        other => break other,
                    }
                }
            }
            None => {
                let beside = shell.beside().await;
                shell.serve(beside).await
            }
        };
        match next {
            Next::Go => {}
            Next::Client(client) => (shell.sender, poller) = client.unzip(),
            Next::Disconnect => {
                goodbye(&mut shell, poller.take()).await;
                return;
            }
            Next::Finished => return,
        }
    }
}

/// Polls until DISCONNECT is written and the broker has closed, or the time is up.
async fn goodbye(shell: &mut Shell, poller: Option<Poller>) {
    let (Some(sender), Some(mut poller)) = (shell.sender.take(), poller) else { return };
    if sender.disconnect().is_ok() {
        let closed = async {
            let mut sender = sender;
            loop {
                let polled = poller.poll().await;
                if matches!(sender.receive(polled, &mut shell.next_token), LinkEvent::Lost { .. }) {
                    break;
                }
            }
        };
        // A broker that does not close is left all the same.
        let _ = tokio::time::timeout(GOODBYE, closed).await;
    }
    info!("link: said offline and disconnected");
}

impl Shell {
    fn now(&self) -> Mono {
        self.clock.now().mono
    }

    async fn polled(&mut self, polled: Polled) -> Next {
        let Some(sender) = &mut self.sender else { return Next::Go };
        let event = sender.receive(polled, &mut self.next_token);
        self.serve(Beside::Event(event)).await
    }

    /// Whatever comes besides the network: requests of the store thread, the machine's deadline, the stop. Nothing is lost
    /// when it is not awaited to its end.
    async fn beside(&mut self) -> Beside {
        let wait_s = self.machine.deadline().map_or(3600.0, |due| due.since_s(self.now()));
        Beside::Event(tokio::select! {
            request = self.port.requests.recv() => match request {
                Some(request) => LinkEvent::Request(request),
                None => return Beside::StoreGone,
            },
            () = self.renewal.due() => {
                self.renewal.warn(&self.settings, self.clock.now());
                if self.sender.is_none() || !self.renewal.replaced(&self.settings) {
                    return Beside::Nothing;
                }
                info!("certificates were replaced: connecting anew");
                LinkEvent::Renewed
            }
            () = tokio::time::sleep(Duration::from_secs_f64(wait_s.max(0.001))) => LinkEvent::Tick,
            grace_s = stopped(&mut self.stop), if !self.stopping => {
                self.stopping = true;
                LinkEvent::Stop { grace_s }
            }
        })
    }

    /// Acts on it to the end: the client is not polled meanwhile.
    async fn serve(&mut self, beside: Beside) -> Next {
        match beside {
            Beside::Event(event) => self.machine.push(self.now(), event),
            Beside::Nothing => {}
            Beside::StoreGone => return Next::Finished,
        }
        // What the store thread has ready goes with it: otherwise a busy network would let its requests pile up.
        while let Ok(request) = self.port.requests.try_recv() {
            self.machine.push(self.now(), LinkEvent::Request(request));
        }
        let mut next = Next::Go;
        while let Some(action) = self.machine.pull() {
            match self.one(action).await {
                Ok(Next::Go) => {}
                Ok(Next::Finished) => return Next::Finished,
                Ok(other) => next = other,
                Err(e) => {
                    self.machine.push(self.now(), LinkEvent::Lost { why: e.to_string(), by_peer: false })
                }
            }
        }
        next
    }

    async fn one(&mut self, action: LinkAction) -> Result<Next, LinkError> {
        match action {
            LinkAction::Connect { session } => return Ok(Next::Client(Some(self.connect(session)?))),
            LinkAction::Drop => {
                self.sender = None;
                return Ok(Next::Client(None));
            }
            LinkAction::Disconnect => return Ok(Next::Disconnect),
            LinkAction::Finished => return Ok(Next::Finished),
            LinkAction::Report(report) => return Ok(self.report(report).await),
            LinkAction::Log(change) => self.log(change),
            LinkAction::Subscribe(filters) => self.with_sender(|s| s.subscribe(filters))?,
            LinkAction::Publish(outgoing) => self.with_sender(|s| s.publish(outgoing))?,
            LinkAction::Ack { token } => self.with_sender(|s| s.ack(token))?,
        }
        Ok(Next::Go)
    }

    /// Waits for room in the store thread's line, but no longer than a stop allows.
    async fn report(&mut self, report: LinkReport) -> Next {
        let begun = self.now();
        let taken = tokio::select! {
            biased;
            taken = self.port.report(report) => taken,
            () = overdue(&mut self.stop) => false,
        };
        if !taken {
            return Next::Finished;
        }
        let (now, s) = (self.now(), self.now().since_s(begun));
        if s > 0.0 {
            self.machine.push(now, LinkEvent::HeldUp { s });
        }
        Next::Go
    }

    fn with_sender(&mut self, f: impl FnOnce(&mut Sender) -> Result<(), LinkError>) -> Result<(), LinkError> {
        self.sender.as_mut().map_or(Ok(()), f)
    }

    fn connect(&mut self, session: u64) -> Result<(Sender, Poller), LinkError> {
        let at = self.clock.now();
        let lost = state(&self.port.who, Presence::Lost, session, None, None, at);
        let will = Will {
            topic: lost.full_topic(&self.port.who),
            body: lost.envelope(&self.port.who, None).into_bytes(),
        };
        self.renewal.in_use(&self.settings);
        client::new(&self.settings, will)
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
        }
        debug!(deadline = ?self.machine.deadline(), "link");
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

/// When the time that a stop allows is over.
async fn overdue(stop: &mut watch::Receiver<Option<f64>>) {
    let grace_s = stopped(stop).await;
    tokio::time::sleep(Duration::from_secs_f64(grace_s.max(0.0))).await;
}
