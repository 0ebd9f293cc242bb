//! Rules: zones, dwell, schedules, permits. What turns something that stays into an incident of a kind. Pure.
