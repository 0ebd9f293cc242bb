//! The machine before brokers as they are: they refuse, they cannot, they close without a word.

use kerbside_domain::time::Mono;
use kerbside_site::config::Protocol;
use kerbside_trace::delivery::{LinkReport, LinkRequest};
use kerbside_wire::Outgoing;

use super::machine::*;
use super::status::{LinkHealth, LinkProblem, LinkStatus};
use super::testing::{FULL, message, settings};

const NO_RETAIN: Terms = Terms { retain: false, ..FULL };
const OLD: Terms = Terms { protocol: Protocol::V311, ..FULL };

struct Script {
    machine: Machine,
    now: Mono,
    epoch: u64,
}

impl Script {
    fn new() -> Self {
        Script { machine: Machine::new(settings(), 7, Mono::ZERO), now: Mono::ZERO, epoch: 0 }
    }

    fn push(&mut self, event: LinkEvent) -> Vec<LinkAction> {
        self.machine.push(self.now, event);
        std::iter::from_fn(|| self.machine.pull()).collect()
    }

    fn after(&mut self, s: f64, event: LinkEvent) -> Vec<LinkAction> {
        self.now = self.now.plus_s(s);
        self.push(event)
    }

    /// Waits until it connects; with what terms, and after how long.
    fn connects(&mut self) -> (Terms, f64) {
        let due = self.machine.deadline().unwrap();
        let waited = due.since_s(self.now);
        self.now = due;
        self.epoch += 1;
        match self.push(LinkEvent::Tick).as_slice() {
            [LinkAction::Connect { terms, .. }] => (*terms, waited),
            other => panic!("{other:?}"),
        }
    }

    fn accepted(&mut self, accepted: Accepted) -> Vec<LinkAction> {
        self.push(LinkEvent::Connected(accepted))
    }

    fn up(&mut self) -> Terms {
        let (terms, _) = self.connects();
        self.accepted(Accepted { session_present: true, ..Accepted::default() });
        terms
    }

    fn hand(&mut self, outgoing: Outgoing) -> Vec<LinkAction> {
        let epoch = self.epoch;
        self.push(LinkEvent::Request(LinkRequest::Publish { epoch, outgoing, last: false }))
    }

    /// Hands over and writes; the broker answers.
    fn answered(&mut self, seq: u64, topic: &str, verdict: Verdict) -> Vec<LinkAction> {
        self.hand(message(seq, topic));
        self.push(LinkEvent::Written { pkid: seq as u16 });
        self.push(LinkEvent::PubAck { pkid: seq as u16, verdict })
    }

    fn closed(&mut self) -> Vec<LinkAction> {
        self.push(LinkEvent::Lost { why: "closed".into(), by_peer: true })
    }

    fn dismissed(&mut self, because: Dismissal) -> Vec<LinkAction> {
        self.push(LinkEvent::Dismissed { because, why: "go away".into() })
    }

    fn status(&self) -> LinkStatus {
        self.machine.status()
    }

    fn problems(&self) -> Vec<LinkProblem> {
        self.status().problems.into_keys().collect()
    }
}

fn refused(reason: &str, never: bool) -> Verdict {
    Verdict::Refused { reason: reason.into(), never }
}

fn is_refused(actions: &[LinkAction], refused: u64) -> bool {
    let is =
        |a: &LinkAction| matches!(a, LinkAction::Report(LinkReport::Refused { seq, .. }) if *seq == refused);
    actions.iter().any(is) && !actions.contains(&LinkAction::Drop)
}

const MATTER: &str = "cg/v1/310112/b/matter/09006/opened";

#[test]
fn a_refused_topic_is_set_aside_and_the_others_go_on() {
    let mut s = Script::new();
    s.up();
    let actions = s.answered(1, "cg/v1/310112/b/position", refused("not authorized", false));
    assert!(is_refused(&actions, 1), "{actions:?}");
    assert_eq!(s.problems(), [LinkProblem::TopicsRefused]);
    assert_eq!(
        s.status().problems[&LinkProblem::TopicsRefused],
        "the broker refuses cg/v1/310112/b/position: not authorized"
    );
    // The next on that topic is not even sent; on another it is.
    assert!(is_refused(&s.hand(message(2, "cg/v1/310112/b/position")), 2));
    let taken = s.answered(3, MATTER, Verdict::Taken);
    assert_eq!(taken, [LinkAction::Report(LinkReport::Acknowledged { epoch: 1, seq: 3 })]);
    // Tried again after a minute, and then the topic is open.
    s.now = s.now.plus_s(61.0);
    let taken = s.answered(4, "cg/v1/310112/b/position", Verdict::Taken);
    assert!(taken.contains(&LinkAction::Log(LinkChange::Solved(LinkProblem::TopicsRefused))), "{taken:?}");
    assert_eq!(s.status(), LinkStatus { health: LinkHealth::Up, connections: 1, refused: 1, ..s.status() });
}

#[test]
fn a_refused_report_is_named_as_such_and_tried_on_the_next_connection() {
    let mut s = Script::new();
    s.up();
    let actions = s.answered(1, MATTER, refused("quota exceeded", false));
    assert!(is_refused(&actions, 1), "{actions:?}");
    assert_eq!(s.problems(), [LinkProblem::ReportsRefused]);
    s.push(LinkEvent::Lost { why: "reset".into(), by_peer: false });
    s.up();
    assert!(matches!(s.hand(message(1, MATTER)).as_slice(), [LinkAction::Publish(_)]));
}

#[test]
fn a_broker_says_what_it_cannot_and_the_next_connection_asks_for_less() {
    let table = [
        (Dismissal::Retain, NO_RETAIN, LinkProblem::NoRetain),
        (Dismissal::Protocol, OLD, LinkProblem::OldProtocol),
        (Dismissal::Qos, Terms { max_qos: 0, ..FULL }, LinkProblem::LowQos),
    ];
    for (because, less, problem) in table {
        let mut s = Script::new();
        assert_eq!(s.connects().0, FULL);
        s.dismissed(because);
        // At once, once.
        assert_eq!(s.connects(), (less, 0.0));
        s.accepted(Accepted::default());
        assert_eq!(s.problems(), [problem]);
        let mut state = message(1, "cg/v1/310112/b/state");
        state.retain = true;
        let [LinkAction::Publish(sent)] = &s.hand(state)[..] else { panic!() };
        assert_eq!((sent.retain, sent.qos), (less.retain, less.max_qos));
        // That is remembered.
        s.after(100.0, LinkEvent::Lost { why: "reset".into(), by_peer: false });
        assert_eq!(s.up(), less);
        // A refusal that less does not cure is waited for like any other.
        s.dismissed(Dismissal::Other);
        s.connects();
        s.dismissed(because);
        assert!(s.connects().1 > 0.0);
    }
}

#[test]
fn what_connack_names_is_kept_to() {
    let mut s = Script::new();
    s.connects();
    let accepted = Accepted {
        no_retain: true,
        max_qos: Some(0),
        receive_max: Some(3),
        max_packet: Some(2000),
        keep_alive_s: Some(10),
        ..Accepted::default()
    };
    let actions = s.accepted(accepted);
    let connected = |a: &LinkAction| {
        matches!(a, LinkAction::Report(LinkReport::Connected { window: 3, max_packet: 2000, .. }))
    };
    assert!(actions.iter().any(connected), "{actions:?}");
    assert_eq!(s.problems(), [LinkProblem::NoRetain, LinkProblem::LowQos]);
    assert_eq!(s.machine.deadline().unwrap().since_s(s.now), 10.0, "a ping by the broker's keep-alive");
}

/// 3.1.1 has no words for it: mosquitto without retained messages just closes.
#[test]
fn a_broker_that_closes_on_connect_is_asked_for_less() {
    let mut s = Script::new();
    let mut tried = Vec::new();
    for _ in 0..9 {
        tried.push(s.connects().0);
        s.closed();
    }
    let oldest = Terms { retain: false, ..OLD };
    assert_eq!(tried, [FULL, FULL, NO_RETAIN, NO_RETAIN, OLD, OLD, oldest, oldest, FULL]);
    assert_eq!(s.problems(), [], "nothing is known yet");

    let mut s = Script::new();
    for _ in 0..2 {
        s.connects();
        s.closed();
    }
    assert_eq!(s.up(), NO_RETAIN);
    assert_eq!(s.problems(), [LinkProblem::NoRetain]);
    // It may have been the network: all again, and at the first close what worked.
    s.after(100.0, LinkEvent::Lost { why: "reset".into(), by_peer: false });
    assert_eq!(s.connects().0, FULL);
    s.closed();
    assert_eq!(s.up(), NO_RETAIN);
    s.after(100.0, LinkEvent::Lost { why: "reset".into(), by_peer: false });
    assert_eq!(s.up(), FULL);
    assert_eq!(s.problems(), [], "it was the network");
}

#[test]
fn a_broker_that_closes_on_retained_messages_gets_none() {
    let mut s = Script::new();
    let mut state = message(1, "cg/v1/310112/b/state");
    state.retain = true;
    for seq in 1..=3 {
        assert_eq!(s.up(), FULL);
        s.hand(Outgoing { seq, ..state.clone() });
        s.push(LinkEvent::Written { pkid: seq as u16 });
        s.closed();
    }
    assert_eq!(s.up(), NO_RETAIN);
    let [LinkAction::Publish(sent)] = &s.hand(state)[..] else { panic!() };
    assert!(!sent.retain);
}

/// Each connection begins with a birth of its own: it is the topic that the broker closes on.
#[test]
fn a_topic_on_which_the_broker_closes_is_set_aside() {
    let mut s = Script::new();
    for seq in 1.. {
        s.up();
        s.hand(message(seq, "cg/v1/310112/b/state"));
        s.push(LinkEvent::Written { pkid: seq as u16 });
        let actions = s.closed();
        if seq == 5 {
            let is = |a: &LinkAction| {
                matches!(a, LinkAction::Report(LinkReport::Refused { seq: 5, never: false, .. }))
            };
            assert!(actions.iter().any(is), "{actions:?}");
            break;
        }
    }
    assert_eq!(s.problems(), [LinkProblem::TopicsRefused]);
    s.up();
    // Also on a new connection it is not tried for its own sake, and reports go.
    assert!(is_refused(&s.hand(message(6, "cg/v1/310112/b/state")), 6));
    s.answered(7, MATTER, Verdict::Taken);
    // Tried after a while: one connection, no five.
    s.now = s.now.plus_s(61.0);
    s.hand(message(8, "cg/v1/310112/b/state"));
    s.push(LinkEvent::Written { pkid: 8 });
    s.closed();
    s.up();
    assert!(is_refused(&s.hand(message(8, "cg/v1/310112/b/state")), 8));
}

/// What becomes of three reports at a broker that closes the connection on those that it `minds`, over some connections.
fn fates(minds: fn(u64) -> bool) -> (Script, Vec<(u64, &'static str)>) {
    let (mut s, mut waiting, mut fates) = (Script::new(), vec![1, 2, 3], Vec::new());
    for _ in 0..40 {
        s.connects();
        let window = |action: LinkAction| match action {
            LinkAction::Report(LinkReport::Connected { window, .. }) => Some(window),
            _ => None,
        };
        let window = s.accepted(Accepted::default()).into_iter().find_map(window).unwrap();
        let ended = loop {
            let mut sent = Vec::new();
            for seq in waiting.clone() {
                if sent.len() < window && matches!(s.hand(message(seq, MATTER))[..], [LinkAction::Publish(_)])
                {
                    s.push(LinkEvent::Written { pkid: seq as u16 });
                    sent.push(seq);
                }
            }
            if sent.is_empty() {
                break s.after(61.0, LinkEvent::Lost { why: "reset".into(), by_peer: false });
            }
            if sent.iter().any(|seq| minds(*seq)) {
                break s.closed();
            }
            waiting.retain(|seq| !sent.contains(seq));
            for seq in sent {
                s.push(LinkEvent::PubAck { pkid: seq as u16, verdict: Verdict::Taken });
                fates.push((seq, "taken"));
            }
        };
        for action in ended {
            if let LinkAction::Report(LinkReport::Rejected { seq, .. }) = action {
                waiting.retain(|waits| *waits != seq);
                fates.push((seq, "given up"));
            }
        }
    }
    (s, fates)
}

/// MQTT 3.1.1 has no other word for it.
#[test]
fn where_the_broker_closes_on_every_report_none_is_given_up_and_that_is_named() {
    let (s, fates) = fates(|_| true);
    assert_eq!(fates, []);
    let what = &s.status().problems[&LinkProblem::ReportsRefused];
    assert!(what.contains(MATTER) && what.contains("closes the connection"), "{what}");
}

#[test]
fn a_report_on_which_the_broker_closes_is_given_up_once_others_of_its_topic_are_taken() {
    for minded in 1..=3 {
        let (s, mut fates) = match minded {
            1 => fates(|seq| seq == 1),
            2 => fates(|seq| seq == 2),
            _ => fates(|seq| seq == 3),
        };
        fates.sort_unstable();
        let expected = [1, 2, 3].map(|seq| (seq, if seq == minded { "given up" } else { "taken" }));
        assert_eq!(fates, expected);
        assert_eq!(s.problems(), [], "{minded}");
    }
}

#[test]
fn refused_subscriptions_are_named_and_tried_again() {
    let mut s = Script::new();
    s.up();
    let refused = vec![("receipt".to_owned(), "not authorized".to_owned())];
    s.push(LinkEvent::Subscribed { taken: vec!["case".into()], refused });
    let what = "the broker refuses the subscription to receipt (not authorized)";
    assert_eq!(s.status().problems[&LinkProblem::SubscriptionsRefused], what);
    let mut again = Vec::new();
    while s.now < Mono::from_s(600.0) {
        s.now = s.machine.deadline().unwrap();
        s.push(LinkEvent::Alive);
        again.extend(s.push(LinkEvent::Tick));
    }
    again.retain(|a| *a != LinkAction::Ping);
    assert_eq!(again, [LinkAction::Subscribe(vec!["receipt".into()])]);
    s.push(LinkEvent::Subscribed { taken: vec!["receipt".into()], refused: Vec::new() });
    assert_eq!(s.problems(), []);
}

#[test]
fn another_client_of_the_same_name_is_named() {
    // In words, at once; and the waits grow however long a connection lasted.
    let mut s = Script::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(s.connects().1);
        s.accepted(Accepted::default());
        s.now = s.now.plus_s(12.0);
        s.dismissed(Dismissal::SessionTaken);
        assert_eq!(s.problems(), [LinkProblem::SessionTaken]);
    }
    assert!(waits[7] > 20.0, "{waits:?}");
    // Without words.
    let mut s = Script::new();
    for closes in 1..=3 {
        s.up();
        s.answered(closes, MATTER, Verdict::Taken);
        s.after(5.0, LinkEvent::Lost { why: "closed".into(), by_peer: true });
        assert_eq!(s.problems().is_empty(), closes < 3);
    }
    assert!(s.status().problems[&LinkProblem::SessionTaken].contains("edge_id used twice"));
    // One that lasts ends it, by whatever the broker says on it.
    let (token, topic, payload, retain) = (1, "case".to_owned(), Vec::new(), false);
    let signs = [
        LinkEvent::Alive,
        LinkEvent::PubAck { pkid: 1, verdict: Verdict::Taken },
        LinkEvent::Received { token, topic, payload, retain },
        LinkEvent::Subscribed { taken: vec!["case".into()], refused: Vec::new() },
    ];
    for sign in signs {
        let mut s = Script::new();
        s.up();
        s.dismissed(Dismissal::SessionTaken);
        s.up();
        s.after(599.0, sign.clone());
        assert_eq!(s.problems(), [LinkProblem::SessionTaken], "{sign:?}");
        s.after(2.0, sign.clone());
        assert_eq!(s.problems(), [], "{sign:?}");
    }
}

/// The negative control: what is no rival.
#[test]
fn a_broker_that_restarts_now_and_then_is_no_rival() {
    let mut s = Script::new();
    for seq in 1..10 {
        s.up();
        s.answered(seq, MATTER, Verdict::Taken);
        s.after(
            if seq % 3 == 0 { 100.0 } else { 5.0 },
            LinkEvent::Lost { why: "closed".into(), by_peer: true },
        );
    }
    assert_eq!(s.problems(), []);
}

#[test]
fn three_connections_that_bring_nothing_forward_are_said() {
    let mut s = Script::new();
    let mut said = Vec::new();
    for seq in 1..=5 {
        s.up();
        s.hand(message(seq, MATTER));
        s.push(LinkEvent::Written { pkid: 1 });
        said.extend(s.push(LinkEvent::Lost { why: "reset".into(), by_peer: false }));
        assert_eq!(s.status().health == LinkHealth::NoProgress, seq >= 3, "{seq}");
    }
    said.retain(|a| matches!(a, LinkAction::Log(LinkChange::NoProgress { .. })));
    assert_eq!(said.len(), 1);
    s.up();
    assert_eq!(s.status().health, LinkHealth::NoProgress, "up is not enough");
    let taken = s.answered(6, MATTER, Verdict::Taken);
    assert!(taken.contains(&LinkAction::Log(LinkChange::Progress)));
    assert_eq!(s.status().health, LinkHealth::Up);
    // The negative control: connections that end and had settled something.
    let mut s = Script::new();
    for seq in 1..=5 {
        s.up();
        s.answered(seq, MATTER, Verdict::Taken);
        s.push(LinkEvent::Lost { why: "reset".into(), by_peer: false });
        assert_eq!(s.status().health, LinkHealth::Down);
    }
}

/// QoS 0 has no answer: a broker that closes on it does so some time after it was written.
#[test]
fn a_topic_of_qos_0_on_which_the_broker_closes_is_set_aside_too() {
    let mut s = Script::new();
    let health = |seq| Outgoing { qos: 0, ..message(seq, "cg/v1/310112/b/health") };
    for seq in 1..=5 {
        s.up();
        s.answered(100 + seq, MATTER, Verdict::Taken);
        s.hand(health(seq));
        let acked = s.push(LinkEvent::Written { pkid: 0 });
        assert_eq!(acked, [LinkAction::Report(LinkReport::Acknowledged { epoch: s.epoch, seq })]);
        s.closed();
    }
    assert_eq!(s.problems(), [LinkProblem::TopicsRefused]);
    s.up();
    assert!(is_refused(&s.hand(health(6)), 6));
    // The negative control: a broker that stands it.
    let mut s = Script::new();
    for seq in 1..=9 {
        s.up();
        s.hand(health(seq));
        s.push(LinkEvent::Written { pkid: 0 });
        s.after(2.0, LinkEvent::Alive);
        s.answered(100 + seq, MATTER, Verdict::Taken);
        s.after(100.0, LinkEvent::Lost { why: "closed".into(), by_peer: true });
    }
    assert_eq!(s.problems(), []);
}
