//! Sensors: GNSS fixes and readings of the box's own instruments.
