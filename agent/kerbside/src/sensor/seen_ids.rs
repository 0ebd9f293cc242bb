//! Ids of presses that were taken already: a press that is brought again because its acknowledgement was lost is the same press.

use std::collections::VecDeque;

/// The newest ids; the oldest give way.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    ids: VecDeque<String>,
}

/// More than a button presses while one acknowledgement is on its way.
const MOST: usize = 64;

impl SeenIds {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.iter().any(|seen| seen == id)
    }

    pub(super) fn insert(&mut self, id: String) {
        if self.contains(&id) {
            return;
        }
        if self.ids.len() == MOST {
            self.ids.pop_front();
        }
        self.ids.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ids_are_known() {
        let mut seen = SeenIds::default();
        (0..MOST + 2).for_each(|n| seen.insert(format!("p{n}")));
        seen.insert("p5".to_owned());
        assert!(seen.contains("p5") && seen.contains("p65"));
        assert!(!seen.contains("p0") && !seen.contains("p1"));
    }
}
