//! The appliance's agent and the scripts that appliances run.

mod backups;
mod curl_script;
mod instructions;
mod naive_script;
mod timeouts;
mod untrusted_answers;
