//! The machine with scripted events: what it does when the broker misbehaves.

use super::machine::*;
use super::status::LinkHealth;
use super::testing::{message, settings};
use kerbside_domain::time::Mono;
use kerbside_trace::delivery::{LinkReport, LinkRequest};
use kerbside_wire::Outgoing;

struct Script {
    machine: Machine,
    now: Mono,
}

fn accepted() -> LinkEvent {
    LinkEvent::Connected(Accepted { session_present: true, ..Accepted::default() })
}

fn outgoing(seq: u64) -> Outgoing {
    message(seq, "t")
}

impl Script {
    fn new() -> Self {
        Script { machine: Machine::new(settings(), 7, Mono::ZERO), now: Mono::ZERO }
    }

    /// Pushes one event and returns all actions but the log.
    fn push(&mut self, event: LinkEvent) -> Vec<LinkAction> {
        self.machine.push(self.now, event);
        std::iter::from_fn(|| self.machine.pull()).filter(|a| !matches!(a, LinkAction::Log(_))).collect()
    }

    /// Moves to the machine's own deadline and ticks; the seconds that passed, and the actions.
    fn tick(&mut self) -> (f64, Vec<LinkAction>) {
        let due = self.machine.deadline().unwrap();
        let passed = due.since_s(self.now);
        self.now = due;
        (passed, self.push(LinkEvent::Tick))
    }

    fn up(&mut self) -> u64 {
        self.tick();
        let actions = self.push(accepted());
        match &actions[1] {
            LinkAction::Report(LinkReport::Connected { epoch, .. }) => *epoch,
            other => panic!("{other:?}"),
        }
    }

    fn hand(&mut self, epoch: u64, seq: u64) -> Vec<LinkAction> {
        self.push(LinkEvent::Request(LinkRequest::Publish { epoch, outgoing: outgoing(seq), last: false }))
    }

    fn lose(&mut self) -> Vec<LinkAction> {
        self.push(LinkEvent::Lost { why: "closed".into(), by_peer: true })
    }
}

fn acked(epoch: u64, seq: u64) -> LinkAction {
    LinkAction::Report(LinkReport::Acknowledged { epoch, seq })
}

#[test]
fn pubacks_find_their_message_by_the_order_of_writing() {
    let mut s = Script::new();
    let epoch = s.up();
    for seq in [11, 12, 13] {
        assert_eq!(s.hand(epoch, seq), [LinkAction::Publish(outgoing(seq))]);
    }
    for pkid in [1, 2, 0] {
        let wrote = s.push(LinkEvent::Written { pkid });
        // QoS 0 is done when it is written.
        assert_eq!(wrote, if pkid == 0 { vec![acked(epoch, 13)] } else { vec![] });
    }
    assert_eq!(s.push(LinkEvent::PubAck { pkid: 2, verdict: Verdict::Taken }), [acked(epoch, 12)]);
    assert_eq!(s.push(LinkEvent::PubAck { pkid: 1, verdict: Verdict::Taken }), [acked(epoch, 11)]);
    assert_eq!(s.push(LinkEvent::PubAck { pkid: 1, verdict: Verdict::Taken }), []);
}

#[test]
fn nothing_of_an_old_connection_counts_on_the_next() {
    let mut s = Script::new();
    let old = s.up();
    s.hand(old, 11);
    s.push(LinkEvent::Written { pkid: 1 });
    let actions = s.lose();
    assert_eq!(
        actions,
        [LinkAction::Report(LinkReport::Disconnected { epoch: old, why: "closed".into() }), LinkAction::Drop]
    );
    let new = s.up();
    assert!(new > old);
    // A message for the old one, a stale PUBACK.
    assert_eq!(s.hand(old, 12), []);
    assert_eq!(s.push(LinkEvent::PubAck { pkid: 1, verdict: Verdict::Taken }), []);
    assert_eq!(s.push(LinkEvent::Request(LinkRequest::Acknowledge { epoch: old, token: 1 })), []);
}

#[test]
fn replaced_certificates_cost_one_connection_no_wait_and_no_suspicion() {
    let mut s = Script::new();
    assert_eq!(s.push(LinkEvent::Renewed), [], "the next connection uses them anyway");
    let old = s.up();
    s.hand(old, 11);
    let why = "certificates were replaced".to_owned();
    let lost = LinkAction::Report(LinkReport::Disconnected { epoch: old, why });
    assert_eq!(s.push(LinkEvent::Renewed), [lost, LinkAction::Drop]);
    let (passed, actions) = s.tick();
    assert_eq!((passed, actions.len()), (0.0, 1));
    assert!(matches!(actions[0], LinkAction::Connect { .. }), "{actions:?}");
}

#[test]
fn a_hung_poll_and_a_withheld_puback_cost_the_connection() {
    let mut s = Script::new();
    let epoch = s.up();
    // What the client writes shows no life: a half-open link takes it.
    s.now = s.now.plus_s(20.0);
    assert_eq!(s.push(LinkEvent::Sent), []);
    assert_eq!(s.tick(), (10.0, vec![LinkAction::Ping]));
    let (passed, actions) = s.tick();
    assert_eq!(passed, 15.0);
    assert!(
        matches!(&actions[0], LinkAction::Report(LinkReport::Disconnected { why, .. }) if why.contains("keep-alive")),
        "{actions:?}"
    );
    let epoch = {
        s.up();
        epoch + 1
    };
    s.hand(epoch, 11);
    s.push(LinkEvent::Written { pkid: 1 });
    for _ in 0..3 {
        s.now = s.now.plus_s(19.0);
        assert_eq!(s.push(LinkEvent::Alive), []);
        assert_eq!(s.push(LinkEvent::Sent), []);
    }
    let (passed, actions) = s.tick();
    assert!((passed - 3.0).abs() < 1e-6);
    assert!(
        matches!(&actions[0], LinkAction::Report(LinkReport::Disconnected { why, .. }) if why.contains("PUBACK")),
        "{actions:?}"
    );
}

/// The store thread had no room: nothing was read, so nothing can have been heard. Pings go on.
#[test]
fn the_time_in_which_nothing_was_read_is_no_silence() {
    let mut s = Script::new();
    let epoch = s.up();
    s.hand(epoch, 11);
    s.push(LinkEvent::Written { pkid: 1 });
    s.now = s.now.plus_s(1.0);
    assert_eq!(s.push(LinkEvent::Paused(true)), []);
    assert_eq!(s.tick(), (29.0, vec![LinkAction::Ping]));
    assert_eq!(s.tick(), (30.0, vec![LinkAction::Ping]));
    // A disk that takes nothing for a minute is named; the connection stays.
    assert_eq!(s.machine.status().health, LinkHealth::Up);
    s.tick();
    assert_eq!(s.machine.status().health, LinkHealth::NoProgress);
    s.now = Mono::from_s(101.0);
    s.push(LinkEvent::Tick);
    assert_eq!(s.push(LinkEvent::Paused(false)), []);
    s.push(LinkEvent::Sent);
    // One second of silence was its own.
    s.push(LinkEvent::Alive);
    s.now = s.now.plus_s(29.0);
    s.push(LinkEvent::Alive);
    s.push(LinkEvent::Sent);
    s.now = s.now.plus_s(29.0);
    s.push(LinkEvent::Alive);
    s.push(LinkEvent::Sent);
    let (passed, actions) = s.tick();
    assert!(passed < 30.0, "{passed}");
    assert!(
        matches!(&actions[0], LinkAction::Report(LinkReport::Disconnected { why, .. }) if why.contains("PUBACK")),
        "{actions:?}"
    );
}

#[test]
fn why_it_was_down_is_no_trouble_any_more_once_it_is_up() {
    let mut s = Script::new();
    s.tick();
    s.push(LinkEvent::Lost { why: "connection refused".into(), by_peer: false });
    assert_eq!(s.machine.status().why.as_deref(), Some("connection refused"));
    s.up();
    let status = s.machine.status();
    assert_eq!((status.health, status.why), (LinkHealth::Up, None));
    s.lose();
    assert_eq!(s.machine.status().why.as_deref(), Some("closed"));
}

#[test]
fn waits_grow_with_jitter_up_to_the_limit_and_are_said_once() {
    let mut s = Script::new();
    let mut logs = 0;
    for attempt in 0..12 {
        let (waited, actions) = s.tick();
        let longest = if attempt == 0 { 0.0 } else { 2f64.powi(attempt - 1).min(60.0) };
        assert!(waited <= longest && waited >= longest / 2.0, "{attempt}: {waited}");
        assert!(matches!(actions[0], LinkAction::Connect { .. }));
        s.machine.push(s.now, LinkEvent::Lost { why: "refused".into(), by_peer: false });
        logs += std::iter::from_fn(|| s.machine.pull()).filter(|a| matches!(a, LinkAction::Log(_))).count();
    }
    assert_eq!(logs, 1);
}

#[test]
fn a_message_that_kills_connections_goes_alone_and_is_given_up() {
    let mut s = Script::new();
    let mut windows = Vec::new();
    for round in 0.. {
        s.tick();
        let actions = s.push(accepted());
        let LinkAction::Report(LinkReport::Connected { epoch, window, .. }) = actions[1] else {
            panic!("{actions:?}")
        };
        windows.push(window);
        // 12 is the bad one; 11 and 13 go with it while the window lets them.
        for seq in [12, 11, 13].into_iter().take(window) {
            s.hand(epoch, seq);
        }
        let lost = s.lose();
        if let Some(LinkAction::Report(LinkReport::Rejected { seq, reason, .. })) = lost.first() {
            assert_eq!((*seq, round), (12, 4), "{reason}");
            assert_eq!(s.machine.status().refused, 1, "the status counts it");
            break;
        }
    }
    assert_eq!(windows, [256, 256, 1, 1, 1]);
}

#[test]
fn what_comes_down_is_acknowledged_after_it_is_stored() {
    let mut s = Script::new();
    let epoch = s.up();
    let (topic, payload) = ("down".to_owned(), b"x".to_vec());
    let actions = s.push(LinkEvent::Received {
        token: 5,
        topic: topic.clone(),
        payload: payload.clone(),
        retain: false,
    });
    assert_eq!(
        actions,
        [LinkAction::Report(LinkReport::Received { epoch, token: 5, topic, payload, retain: false })]
    );
    assert_eq!(
        s.push(LinkEvent::Request(LinkRequest::Acknowledge { epoch, token: 5 })),
        [LinkAction::Ack { token: 5 }]
    );
}

#[test]
fn a_stop_drains_says_offline_and_disconnects() {
    let mut s = Script::new();
    let epoch = s.up();
    let actions = s.push(LinkEvent::Stop { grace_s: 10.0 });
    assert!(
        matches!(actions.as_slice(), [LinkAction::Report(LinkReport::Stopping { drain_s, .. })] if *drain_s == 7.0),
        "{actions:?}"
    );
    s.push(LinkEvent::Request(LinkRequest::Publish { epoch, outgoing: outgoing(9), last: true }));
    s.push(LinkEvent::Written { pkid: 1 });
    let done = s.push(LinkEvent::PubAck { pkid: 1, verdict: Verdict::Taken });
    assert_eq!(done, [acked(epoch, 9), LinkAction::Disconnect]);
    assert_eq!(s.push(LinkEvent::Lost { why: "closed".into(), by_peer: true }), [LinkAction::Finished]);
    // Nobody there: ends at once; a broker that never answers: ends with the grace.
    let mut s = Script::new();
    assert_eq!(s.push(LinkEvent::Stop { grace_s: 10.0 }), [LinkAction::Finished]);
    let mut s = Script::new();
    s.tick();
    s.push(LinkEvent::Stop { grace_s: 10.0 });
    assert_eq!(s.tick(), (10.0, vec![LinkAction::Drop, LinkAction::Finished]));
}
