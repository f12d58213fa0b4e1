//! Signs of activity of appliances: when a system was last heard of, and heartbeats.

mod heartbeat;
mod last_seen;
