//! Store: the index of the journal behind one seam: sled on the box, memory in tests. Never the only copy (invariant 12).
