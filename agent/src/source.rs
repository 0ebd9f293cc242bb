//! Source: one capture child per camera, the packet ring's feeder and the newest-look slot.
