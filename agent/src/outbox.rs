//! Outbox: the only queue of messages (invariant 6), in lanes, until acknowledged or buried with a reason (invariant 7).
