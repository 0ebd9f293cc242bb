//! The link in metrics and in `device.health`.

use kerbside_link::{LinkHealth, LinkProblem, LinkStatus, LinkWatch};
use kerbside_trace::delivery::DeliveryStats;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Map, Value, json};

use crate::health::{Metrics, raise};

/// What is shown of the link.
pub(crate) struct LinkMeter {
    watch: LinkWatch,
    states: Vec<(LinkHealth, Gauge)>,
    problems: Vec<(LinkProblem, Gauge)>,
    connections: Counter,
    refused: Counter,
}

impl LinkMeter {
    pub(super) fn new(metrics: &Metrics, watch: LinkWatch) -> Self {
        LinkMeter {
            watch,
            states: LinkHealth::ALL.map(|h| (h, metrics.link_state(h))).into(),
            problems: LinkProblem::ALL.map(|p| (p, metrics.link_problem(p))).into(),
            connections: metrics.link_connections(),
            refused: metrics.link_refused(),
        }
    }

    pub(crate) fn status(&self) -> LinkStatus {
        self.watch.now()
    }

    pub(super) fn show(&self, status: &LinkStatus) {
        for (health, gauge) in &self.states {
            gauge.set(i64::from(*health == status.health));
        }
        for (problem, gauge) in &self.problems {
            gauge.set(i64::from(status.problems.contains_key(problem)));
        }
        raise(&self.connections, status.connections);
        raise(&self.refused, status.refused);
    }
}

/// The link's part of `device.health`: its state, what a person should put right, and what the broker refuses by priority.
pub(crate) fn link_values(status: &LinkStatus, stats: Option<&DeliveryStats>) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("link".to_owned(), json!(status.health));
    if !status.problems.is_empty() {
        values.insert("link_problems".to_owned(), json!(status.problems));
    }
    if let Some(stats) = stats.filter(|stats| stats.outbox.iter().any(|p| p.refused > 0)) {
        let refused: Vec<usize> = stats.outbox.iter().map(|p| p.refused).collect();
        values.insert("refused".to_owned(), json!(refused));
    }
    values
}
