//! The commit probe: a transaction that shows the health check whether COMMIT works.
//!
//! While a synchronous standby is unavailable, every COMMIT waits for it. No timeout of Postgres ends that wait, and a session
//! goes on waiting after its client is gone. So a probe that hangs is not interrupted, and no second one is started.
//!
//! The probe writes a message, which nobody reads, into the write-ahead log. It is committed like an upload. It changes no
//! table, leaves no dead row, and takes no lock that another process's probe would wait for. If the role may not write such
//! messages, the probe updates the row of `service_defaults` without changing it. Then the probes of all processes wait for
//! one another. The result is the same: while commits hang, each of them hangs.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Timestamptz};

use super::{Conn, DbError};

/// The identity of a session in `pg_stat_activity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProbeSession {
    pid: i32,
    /// Distinguishes sessions that have the same process id: ids are reused.
    started: DateTime<Utc>,
}

/// The session of the probe that is under way.
#[derive(Clone, Default)]
pub(super) struct CommitProbe(Arc<Mutex<Option<ProbeSession>>>);

impl CommitProbe {
    pub(super) fn under_way(&self) -> Option<ProbeSession> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, session: ProbeSession) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Clears the session if it is still the current one: a probe that nobody waits for may end while another is under way.
    pub(super) fn end(&self, session: ProbeSession) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|under_way| *under_way == session);
    }

    pub(super) fn run(&self, conn: &mut Conn) -> Result<(), DbError> {
        let (session, may_emit) = writable_session(conn)?;
        let probe = if may_emit {
            "SELECT pg_logical_emit_message(true, 'strongroom.health', '')"
        } else {
            "UPDATE service_defaults SET org_quota_bytes = org_quota_bytes"
        };
        self.begin(session);
        let committed = diesel::sql_query(probe).execute(conn);
        self.end(session);
        committed?;
        Ok(())
    }
}

/// Returns this session, and whether it may write messages into the write-ahead log.
///
/// A read-only session (on a standby, or by `default_transaction_read_only`) is [`DbError::Unavailable`], as it is for any
/// statement that writes. So the pool discards it, and the next caller gets a new one.
fn writable_session(conn: &mut Conn) -> Result<(ProbeSession, bool), DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        pid: i32,
        #[diesel(sql_type = Timestamptz)]
        started: DateTime<Utc>,
        #[diesel(sql_type = Bool)]
        read_only: bool,
        #[diesel(sql_type = Bool)]
        may_emit: bool,
    }
    // The function is found by its name and second argument: in Postgres 17 it has one more argument.
    // In recovery `transaction_read_only` is always on.
    let Row { pid, started, read_only, may_emit } = diesel::sql_query(
        "SELECT pid, backend_start AS started, current_setting('transaction_read_only')::boolean AS read_only, \
         EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
             AND proname = 'pg_logical_emit_message' AND proargtypes[2] = 'text'::regtype \
             AND has_function_privilege(pg_proc.oid, 'EXECUTE')) AS may_emit \
         FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    )
    .get_result(conn)?;
    if read_only {
        return Err(DbError::Unavailable(
            "the session is read-only (a standby, or default_transaction_read_only)".to_owned(),
        ));
    }
    Ok((ProbeSession { pid, started }, may_emit))
}

/// Whether the session still runs its statement. A session that is `idle` has answered, and the answer was lost.
pub(super) fn is_active(
    conn: &mut Conn,
    ProbeSession { pid, started }: ProbeSession,
) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        found: bool,
    }
    let Row { found } = diesel::sql_query(
        "SELECT EXISTS (SELECT FROM pg_stat_activity \
         WHERE pid = $1 AND backend_start = $2 AND state IS DISTINCT FROM 'idle') AS found",
    )
    .bind::<Integer, _>(pid)
    .bind::<Timestamptz, _>(started)
    .get_result(conn)?;
    Ok(found)
}
