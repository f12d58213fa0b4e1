//! The systems and organizations of the fleet, for those who manage them.

pub mod organizations;
pub mod systems;
