//! The management API: tokens, key sets, and a portal's requests.

mod backup_requests;
mod challenges;
mod cors;
mod destroy;
mod foreign_ids;
mod gateway;
mod key_set;
mod key_set_forms;
mod key_set_refresh;
mod key_set_tls;
mod organization_lists;
mod organization_values;
mod organizations;
mod outage;
mod systems;
mod tenant_limits;
mod tenant_matrix;
mod token_claims;
mod tokens;
mod tree;
