//! Pure types and decisions: no I/O, no clock, no async.

pub mod accounting;
pub mod caller;
pub mod conditional;
pub mod damage;
pub mod digest;
pub mod filename;
pub mod forwarded;
pub mod ids;
pub mod media_type;
pub mod object_key;
pub mod openpgp;
pub mod origin;
pub mod orphans;
pub mod pace;
pub mod range;
pub mod request;
pub mod retention;
pub mod size;
pub mod state;
pub mod ttl_map;
pub mod window;
