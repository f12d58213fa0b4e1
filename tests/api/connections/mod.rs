//! HTTP connections and addresses: pipelining, protocol upgrades, routes.

mod pipelining;
mod protocol_upgrades;
mod routes;
mod slashes;
