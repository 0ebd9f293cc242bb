//! What the link says of itself: whether it is up, whether it brings anything forward, and what a person should put right.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkHealth {
    #[default]
    Down,
    Up,
    /// Connections come up, something waits, and nothing is acknowledged.
    NoProgress,
}

impl LinkHealth {
    pub const ALL: [LinkHealth; 3] = [LinkHealth::Down, LinkHealth::Up, LinkHealth::NoProgress];

    pub fn as_str(self) -> &'static str {
        match self {
            LinkHealth::Down => "down",
            LinkHealth::Up => "up",
            LinkHealth::NoProgress => "no_progress",
        }
    }
}

/// Something that a person should put right. The link goes on as well as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkProblem {
    /// The broker takes no reports; they are kept.
    ReportsRefused,
    /// It takes no messages on other topics.
    TopicsRefused,
    /// It sends us nothing on these topics.
    SubscriptionsRefused,
    /// Another client uses our name.
    SessionTaken,
    /// CONNECT is refused.
    NotLetIn,
    /// States and the will are not retained.
    NoRetain,
    /// Everything goes with QoS 0.
    LowQos,
    /// MQTT 3.1.1 in place of 5.
    OldProtocol,
}

impl LinkProblem {
    pub const ALL: [LinkProblem; 8] = [
        LinkProblem::ReportsRefused,
        LinkProblem::TopicsRefused,
        LinkProblem::SubscriptionsRefused,
        LinkProblem::SessionTaken,
        LinkProblem::NotLetIn,
        LinkProblem::NoRetain,
        LinkProblem::LowQos,
        LinkProblem::OldProtocol,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LinkProblem::ReportsRefused => "reports_refused",
            LinkProblem::TopicsRefused => "topics_refused",
            LinkProblem::SubscriptionsRefused => "subscriptions_refused",
            LinkProblem::SessionTaken => "session_taken",
            LinkProblem::NotLetIn => "not_let_in",
            LinkProblem::NoRetain => "no_retain",
            LinkProblem::LowQos => "low_qos",
            LinkProblem::OldProtocol => "old_protocol",
        }
    }

    /// What to do about it.
    pub fn cure(self) -> &'static str {
        match self {
            LinkProblem::ReportsRefused | LinkProblem::TopicsRefused => {
                "let this box write below cg/v1/DIVISION/EDGE_ID/ at the broker (its access list)"
            }
            LinkProblem::SubscriptionsRefused => {
                "let this box read receipt, case, grant and cmd/+ below its root, and all/cmd/+ of its division, at the \
                 broker (its access list); if the centre sends no receipts, write receipts = false"
            }
            LinkProblem::SessionTaken => {
                "is edge_id used twice? Give each box its own edge_id and certificate, also a box made from a copied card"
            }
            LinkProblem::NotLetIn => {
                "compare username, password_file and certificate with the broker's, and its limits"
            }
            LinkProblem::NoRetain => {
                "turn retained messages on at the broker, or write retain = false; until then whoever connects later does \
                 not see the last state of the box"
            }
            LinkProblem::LowQos => {
                "turn QoS 1 on at the broker; until then a report can be lost on its way, unless the centre sends receipts"
            }
            LinkProblem::OldProtocol => "write protocol = \"3.1.1\", or let the broker speak MQTT 5",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    pub health: LinkHealth,
    /// Why it is not up, or makes no progress.
    pub why: Option<String>,
    /// What is wrong, in words.
    pub problems: BTreeMap<LinkProblem, String>,
    /// Connections that were let in.
    pub connections: u64,
    /// How often the broker refused a message, in words or by closing the connection on it.
    pub refused: u64,
    /// The link's task ended, and nobody had asked it to.
    pub is_lost: bool,
}

/// The newest status, for everybody.
#[derive(Clone, Debug)]
pub struct LinkWatch(Arc<watch::Sender<LinkStatus>>);

impl Default for LinkWatch {
    fn default() -> Self {
        LinkWatch(Arc::new(watch::Sender::new(LinkStatus::default())))
    }
}

impl LinkWatch {
    pub fn now(&self) -> LinkStatus {
        self.0.borrow().clone()
    }

    /// The task is gone.
    pub(crate) fn lost(&self) {
        self.0.send_modify(|status| (status.health, status.is_lost) = (LinkHealth::Down, true));
    }

    pub(crate) fn set(&self, status: LinkStatus) {
        self.0.send_if_modified(|old| {
            let is_news = *old != status;
            *old = status;
            is_news
        });
    }
}
