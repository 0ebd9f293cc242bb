//! Wire: all that leaves the box and all that may enter it, versioned (invariant 11). Implements the contract with the centre.
