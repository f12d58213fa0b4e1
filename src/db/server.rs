//! Identifies the Postgres server that a session leads to, so that a former primary that comes back is not used.
//!
//! A promotion begins a new timeline. If two servers accept writes, the one with the higher timeline is the primary. The former
//! primary does not know the new timeline, so a process that has seen the new timeline has to remember it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::{Conn, DbError};

/// What a server reports about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub(super) struct Server {
    /// The system identifier: made by `initdb`, and the same in all copies of a cluster.
    #[diesel(sql_type = BigInt)]
    pub system: i64,
    /// The timeline that a primary writes. For a standby, the timeline of its last checkpoint.
    #[diesel(sql_type = BigInt)]
    pub timeline: i64,
    #[diesel(sql_type = Bool)]
    pub standby: bool,
}

/// Identifies a server. `None` if it does not report its identity: the role lacks the right, or the service only resembles
/// Postgres.
///
/// The control file has the timeline of the last checkpoint: after a promotion that is the old timeline for a while. So for a
/// primary the timeline of the current write position is read.
pub(super) fn identify(conn: &mut Conn) -> Result<Option<Server>, DbError> {
    let identified = diesel::sql_query(
        "SELECT (pg_control_system()).system_identifier AS system, pg_is_in_recovery() AS standby, \
         CASE WHEN pg_is_in_recovery() THEN (pg_control_checkpoint()).timeline_id::bigint \
         ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END AS timeline",
    )
    .get_result(conn);
    match identified.map_err(DbError::from) {
        Ok(server) => Ok(Some(server)),
        Err(DbError::Failed(text)) => {
            log::debug!("which server this is: {text}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The primary with the highest timeline that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KnownPrimary {
    pub system: i64,
    pub timeline: i64,
}

/// Why a server is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ServerRefusal {
    #[error(
        "it is a former primary (it writes timeline {timeline}, the newest is {newest}). Fence it, or point DATABASE_URL at \
         the new primary"
    )]
    FormerPrimary { timeline: i64, newest: i64 },
    #[error(
        "it is another cluster (its system identifier is {system}, before it was {known}). If that is what you want, \
         restart Strongroom"
    )]
    OtherCluster { system: i64, known: i64 },
}

/// Returns what is known after a session was opened on `server`, or why the server is refused. A standby is never refused for
/// its timeline: it may follow a primary on whose timeline it has not written a checkpoint yet.
pub(super) fn judge(known: Option<KnownPrimary>, server: Server) -> Result<KnownPrimary, ServerRefusal> {
    let Server { system, timeline, standby } = server;
    let Some(known) = known else { return Ok(KnownPrimary { system, timeline }) };
    if system != known.system {
        return Err(ServerRefusal::OtherCluster { system, known: known.system });
    }
    if timeline < known.timeline && !standby {
        return Err(ServerRefusal::FormerPrimary { timeline, newest: known.timeline });
    }
    Ok(KnownPrimary { system, timeline: timeline.max(known.timeline) })
}

#[cfg(test)]
mod tests {
    use super::{KnownPrimary, Server, ServerRefusal, judge};

    #[test]
    fn the_highest_timeline_of_the_first_cluster_counts() {
        let primary = |system, timeline| Server { system, timeline, standby: false };
        let standby = |system, timeline| Server { system, timeline, standby: true };
        let known = |timeline| KnownPrimary { system: 7, timeline };
        let former = Err(ServerRefusal::FormerPrimary { timeline: 1, newest: 2 });
        let other = Err(ServerRefusal::OtherCluster { system: 8, known: 7 });
        for (before, server, after) in [
            (None, primary(7, 1), Ok(known(1))),
            (Some(known(1)), primary(7, 1), Ok(known(1))),
            (Some(known(1)), primary(7, 2), Ok(known(2))),
            (Some(known(2)), primary(7, 1), former),
            (Some(known(2)), standby(7, 1), Ok(known(2))),
            (Some(known(1)), standby(7, 2), Ok(known(2))),
            (Some(known(2)), primary(8, 3), other),
            (Some(known(2)), standby(8, 3), other),
        ] {
            assert_eq!(judge(before, server), after, "{before:?} {server:?}");
        }
    }
}
