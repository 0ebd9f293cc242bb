//! Journal: the truth of the box. Append-only segments of self-checking, hash-chained JSON lines.
