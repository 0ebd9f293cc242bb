//! Tries the broker as the box would, and says what is to be put right. Not while the box runs: it would take its session.

use std::time::Duration;

use kerbside_domain::time::Clock;
use kerbside_wire::Identity;

use crate::client::{LastWill, Wire};
use crate::machine::{LinkAction, LinkEvent, Machine};
use crate::settings::LinkSettings;
use crate::status::LinkStatus;
use crate::tuning::{PROBE_BACKOFF_S, PROBE_LIMIT};

/// Connects, subscribes and disconnects; nothing is published, and what comes down stays at the broker. What it found: up, or
/// why not, and the problems.
pub async fn probe(mut settings: LinkSettings, who: &Identity, clock: &dyn Clock) -> LinkStatus {
    (settings.backoff_min_s, settings.backoff_max_s) = (PROBE_BACKOFF_S, PROBE_BACKOFF_S);
    let mut machine = Machine::new(settings.machine(who, 0), fastrand::u64(..), clock.now().mono);
    let mut wire = Wire::None;
    let tried = try_it(&settings, who, clock, &mut machine, &mut wire);
    // What is known by then is said.
    let _ = tokio::time::timeout(PROBE_LIMIT, tried).await;
    let status = machine.status();
    wire.disconnect().await;
    status
}

/// Until the broker has answered the subscriptions.
async fn try_it(
    settings: &LinkSettings,
    who: &Identity,
    clock: &dyn Clock,
    machine: &mut Machine,
    wire: &mut Wire,
) {
    loop {
        machine.push(clock.now().mono, LinkEvent::Tick);
        while let Some(action) = machine.pull() {
            match action {
                LinkAction::Connect { session, terms } => {
                    *wire = Wire::opening(settings, terms, LastWill::new(who, session, clock.now()));
                }
                LinkAction::Drop => *wire = Wire::None,
                LinkAction::Subscribe(filters) => {
                    let sent = wire.open().map(|connection| connection.subscribe(filters));
                    if sent.is_some_and(|sent| sent.is_err()) {
                        return;
                    }
                }
                _ => {}
            }
        }
        let wait_s = machine.deadline().map_or(1.0, |due| due.since_s(clock.now().mono)).max(0.001);
        tokio::select! {
            event = wire.event(true) => {
                let is_answered = matches!(event, LinkEvent::Subscribed { .. });
                machine.push(clock.now().mono, event);
                if is_answered {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::from_secs_f64(wait_s)) => {}
        }
    }
}
