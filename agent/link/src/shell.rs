//! The task around the machine: polls the client, carries events in and actions out. No decision of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::certificates::{self, Stamps};
use super::client::{self, GOODBYE, Polled, Poller, Sender, Will};
use super::machine::{Action, Change, Event, Machine};
use super::{LinkError, Settings, tls};
use kerbside_domain::time::{Clock, Mono};
use kerbside_trace::delivery::LinkPort;
use kerbside_wire::{self as wire, Presence};

/// Between two warnings of certificates that end, s.
const WARN_EVERY_S: f64 = 86_400.0;

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
    settings: Settings,
    port: LinkPort,
    clock: Arc<dyn Clock>,
    machine: Machine,
    sender: Option<Sender>,
    next_token: u64,
    stopping: bool,
    renewal: Renewal,
}

/// Whether the files that vouch for the box were replaced, and how long they count.
struct Renewal {
    looks: tokio::time::Interval,
    /// As the connection uses them.
    used: Stamps,
    /// Why new ones cannot be used, said once.
    refused: Option<String>,
    warned: Option<Mono>,
}

/// Runs until the machine is finished.
pub async fn run(
    settings: Settings,
    port: LinkPort,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<Option<f64>>,
) {
    let machine = settings.machine(&port.who, port.session_base);
    let machine = Machine::new(machine, fastrand::u64(..), clock.now().mono);
    let renewal = Renewal {
        looks: tokio::time::interval(Duration::from_secs_f64(settings.renewal_s)),
        used: Stamps::default(),
        refused: None,
        warned: None,
    };
    let mut shell =
        Shell { settings, port, clock, machine, sender: None, next_token: 0, stopping: false, renewal };
    let mut poller: Option<Poller> = None;
    loop {
        // A poll that was begun is kept until it brings something; only a client that is thrown away is cut off.
        let next = match &mut poller {
            Some(poller) => {
                let mut poll = std::pin::pin!(poller.poll());
                loop {
                    let next = tokio::select! {
                        polled = &mut poll => break shell.polled(polled),
                        next = shell.beside(&mut stop) => next,
                    };
                    match next {
                        Next::Go => {}
                        other => break other,
                    }
                }
            }
            None => shell.beside(&mut stop).await,
        };
        match next {
            Next::Go => {}
            Next::Client(new) => {
                let (sender, new) = new.unzip();
                (shell.sender, poller) = (sender, new);
            }
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
                if matches!(sender.receive(polled, &mut shell.next_token), Event::Lost { .. }) {
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

    fn polled(&mut self, polled: Polled) -> Next {
        let Some(sender) = &mut self.sender else { return Next::Go };
        let event = sender.receive(polled, &mut self.next_token);
        self.machine.push(self.now(), event);
        self.act()
    }

    /// Whatever comes besides the network: orders of the delivery, the machine's deadline, the stop.
    async fn beside(&mut self, stop: &mut watch::Receiver<Option<f64>>) -> Next {
        let wait_s = self.machine.deadline().map_or(3600.0, |due| due.since_s(self.now()));
        let event = tokio::select! {
            order = self.port.orders.recv() => match order {
                Some(order) => Event::Order(order),
                // The delivery is gone: nothing can be made durable, so nothing may be acknowledged.
                None => return Next::Finished,
            },
            _ = self.renewal.looks.tick() => {
                self.warn();
                if !self.renewed() {
                    return Next::Go;
                }
                info!("certificates were replaced: connecting anew");
                Event::Renewed
            }
            () = tokio::time::sleep(Duration::from_secs_f64(wait_s.max(0.001))) => Event::Tick,
            grace_s = stopped(stop), if !self.stopping => {
                self.stopping = true;
                Event::Stop { grace_s }
            }
        };
        self.machine.push(self.now(), event);
        self.act()
    }

    fn act(&mut self) -> Next {
        let mut next = Next::Go;
        while let Some(action) = self.machine.pull() {
            match self.one(action) {
                Ok(Next::Go) => {}
                Ok(other) => next = other,
                Err(e) => self.machine.push(self.now(), Event::Lost { why: e.to_string(), by_peer: false }),
            }
        }
        next
    }

    fn one(&mut self, action: Action) -> Result<Next, LinkError> {
        match action {
            Action::Connect { session } => return Ok(Next::Client(Some(self.connect(session)?))),
            Action::Drop => {
                self.sender = None;
                return Ok(Next::Client(None));
            }
            Action::Disconnect => return Ok(Next::Disconnect),
            Action::Finished => return Ok(Next::Finished),
            Action::Tell(event) => {
                if !self.port.tell(event) {
                    return Err(LinkError::Connection("the journal does not keep up".to_owned()));
                }
            }
            Action::Log(change) => self.log(change),
            Action::Subscribe(filters) => self.with_sender(|s| s.subscribe(filters))?,
            Action::Publish(parcel) => self.with_sender(|s| s.publish(parcel))?,
            Action::Ack { token } => self.with_sender(|s| s.ack(token))?,
        }
        Ok(Next::Go)
    }

    fn with_sender(&mut self, f: impl FnOnce(&mut Sender) -> Result<(), LinkError>) -> Result<(), LinkError> {
        self.sender.as_mut().map_or(Ok(()), f)
    }

    fn connect(&mut self, session: u64) -> Result<(Sender, Poller), LinkError> {
        let at = self.clock.now();
        let lost = wire::state(&self.port.who, Presence::Lost, session, None, None, at);
        let will = Will {
            topic: lost.full_topic(&self.port.who),
            body: lost.envelope(&self.port.who, None).into_bytes(),
        };
        self.renewal.used = Stamps::of(self.settings.files());
        client::new(&self.settings, will)
    }

    /// True: other files are there than the connection uses, and they are whole.
    fn renewed(&mut self) -> bool {
        let found = Stamps::of(self.settings.files());
        if self.sender.is_none() || found == self.renewal.used {
            return false;
        }
        match self.settings.centre.tls.as_ref().map(tls::client_config) {
            None | Some(Ok(_)) => {
                self.renewal.refused = None;
                true
            }
            // Half of them were replaced, perhaps: the connection goes on as it is.
            Some(Err(error)) => {
                let why = error.to_string();
                if self.renewal.refused.as_ref() != Some(&why) {
                    warn!(why, "new certificates cannot be used yet");
                    self.renewal.refused = Some(why);
                }
                false
            }
        }
    }

    /// Once a day, and at the start.
    fn warn(&mut self) {
        let Some(tls) = &self.settings.centre.tls else { return };
        let now = self.clock.now();
        if self.renewal.warned.is_some_and(|at| now.mono.since_s(at) < WARN_EVERY_S) {
            return;
        }
        self.renewal.warned = Some(now.mono);
        for warning in certificates::warnings(tls, now.wall_ms / 1000) {
            warn!(warning, "certificate");
        }
    }

    fn log(&self, change: Change) {
        let centre = &self.settings.centre;
        let (host, port) = (centre.host.as_str(), centre.port);
        match change {
            Change::Up { session, session_present } => info!(host, port, session, session_present, "link up"),
            Change::Down { why } => warn!(host, port, why, "link lost; reports wait on the disk"),
            Change::StillDown { why } => warn!(host, port, why, "link cannot be made; trying on"),
        }
        debug!(deadline = ?self.machine.deadline(), "link");
    }
}

/// When the stop is asked for; never if the handle was dropped without one.
async fn stopped(stop: &mut watch::Receiver<Option<f64>>) -> f64 {
    let asked = stop.wait_for(Option::is_some).await.ok().and_then(|grace_s| *grace_s);
    match asked {
        Some(grace_s) => grace_s,
        None => std::future::pending().await,
    }
}
