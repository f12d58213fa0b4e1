//! Postgres is unavailable, hangs, fails over, or refuses.

mod commit;
mod database_hang;
mod former_primary;
mod keepalive;
mod leases;
mod locks;
mod lost_connections;
mod pgbouncer;
mod synchronous_standby;
mod takeover;
mod unavailable_uploads;
mod unreachable;
