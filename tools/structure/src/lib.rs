//! Looks at the workspace's own source and says where it breaks the rules of ARCHITECTURE.md.
//!
//! * [`modules`] reads one crate into its modules and the arrows between them: who names whose items.
//! * [`cycles`] finds the groups of modules that need each other, and names the arrows.
//! * [`crates`] compares the edges between the workspace's crates with the order of the architecture, and draws them.
//! * [`errors`] finds errors that would print their cause twice, [`queues`] channels without a bound, [`sleeps`] clocks and sleeps where there should be none, [`exceptions`] advisories
//!   that are passed over without a reason.
//!
//! It reads text and Cargo's metadata alone: nothing is compiled, and nothing of the agent is linked.

pub mod crates;
pub mod cycles;
pub mod errors;
pub mod exceptions;
pub mod modules;
pub mod queues;
pub mod sleeps;
pub mod sources;
