//! Index: what must be looked up fast. Made from the journal, never the only copy of anything (invariant 12).
//!
//! The seam [`Store`] has two sides: [`SledStore`] on the box and [`MemoryStore`] in pure tests. Whoever opens it compares
//! the cursor with the journal and makes the index anew on any doubt.

mod memory;
mod sled;
mod store;

pub use self::sled::{OpenedIndex, SledStore};
pub use memory::MemoryStore;
pub use store::{IndexChange, IndexError, Pair, Store, Table};
