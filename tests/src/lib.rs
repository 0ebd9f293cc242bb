//! The tests of the whole: end-to-end tests (`tests/`), the fault suite, hostile input, and what the documents quote.
//!
//! They stand on `kerbside-testkit`, which knows the agent from outside; what needs the agent's own crates (a store to hurt, a
//! journal to read) is here.

pub mod documents;
pub mod faults;
pub mod fuzz;
pub mod journal;
