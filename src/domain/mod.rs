//! Pure types and decisions: no I/O, no clock, no async.

pub mod accounting;
pub mod author;
pub mod backup_request;
pub mod body_rate;
pub mod caller;
pub mod client_network;
pub mod duration;
pub mod event_kind;
pub mod failure_reason;
pub mod filename;
pub mod ids;
pub mod media_type;
pub mod object_key;
pub mod openpgp;
pub mod org_tree;
pub mod orphans;
pub mod range;
pub mod rate_window;
pub mod refusal;
pub mod retention;
pub mod row_state;
pub mod size;
pub mod status;
pub mod system_facts;
pub mod transfer_damage;
pub mod ttl_map;
