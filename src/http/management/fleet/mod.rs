//! The systems and organizations of the fleet, for those who manage them.

pub mod events;
pub mod organizations;
pub mod systems;
pub mod usage;
