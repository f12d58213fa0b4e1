//! Whether a transaction can be committed: for health.
//!
//! While a synchronous standby is away every COMMIT waits for it. No time-out of Postgres ends that wait, and a session
//! whose client is gone goes on waiting. So a probe that hangs is left to itself, and there is no second one beside it.
//!
//! The probe is a message in the write-ahead log that nobody reads: it is committed like an upload, changes no table,
//! leaves no dead row, and locks nothing that another process's probe would wait for. A role from which the right to that
//! was taken writes the row of `service_defaults` as it is: then the probes of all processes wait for one another, which is
//! as true an answer while commits hang.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Timestamptz};
use tokio::time::{sleep, timeout};

use super::{Conn, Db, DbError, Lane};

/// Between two looks at a probe that is under way.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A session, as Postgres lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listed {
    pid: i32,
    /// Process ids come again.
    started: DateTime<Utc>,
}

/// The session of the probe that is under way.
#[derive(Clone, Default)]
pub(super) struct Probe(Arc<Mutex<Option<Listed>>>);

impl Db {
    /// Commits something that changes nothing. Blocks no thread and opens no session for those that ask while one hangs.
    pub async fn can_commit(&self, patience: Duration) -> Result<(), DbError> {
        let hangs = || {
            Err(DbError::Unsure("COMMIT did not return; is a synchronous standby unavailable?".to_owned()))
        };
        timeout(patience, self.commit_probe(patience)).await.unwrap_or_else(|_| hangs())
    }

    async fn commit_probe(&self, patience: Duration) -> Result<(), DbError> {
        while let Some(listed) = self.probe.under_way() {
            let is_at_it = move |conn: &mut _| is_at_it(conn, listed);
            if self.run(Lane::Reads, patience, is_at_it).await? {
                sleep(LOOK_AGAIN).await;
            } else {
                // Only its client waits still, on a connection that leads nowhere.
                self.probe.end(listed);
            }
        }
        let probe = self.probe.clone();
        self.run(Lane::Reads, patience, move |conn| probe.run(conn)).await
    }
}

impl Probe {
    fn under_way(&self) -> Option<Listed> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, listed: Listed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed);
    }

    /// One that was given up may end when there is another.
    fn end(&self, listed: Listed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|under_way| *under_way == listed);
    }

    fn run(&self, conn: &mut Conn) -> Result<(), DbError> {
        let (listed, may_emit) = writable_session(conn)?;
        let probe = if may_emit {
            "SELECT pg_logical_emit_message(true, 'strongroom.health', '')"
        } else {
            "UPDATE service_defaults SET org_quota_bytes = org_quota_bytes"
        };
        self.begin(listed);
        let committed = diesel::sql_query(probe).execute(conn);
        self.end(listed);
        committed?;
        Ok(())
    }
}

/// This session, and whether it may write messages into the log.
///
/// One that only reads (a standby's, or by `default_transaction_read_only`) is `Unavailable`, as it is for whoever tries
/// to write in it: so it is thrown away, and what comes next is asked of a new one.
fn writable_session(conn: &mut Conn) -> Result<(Listed, bool), DbError> {
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
    // The right is looked up by the function's name: Postgres 17 gave it one argument more.
    // Also read-only in recovery, whatever was set.
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
    Ok((Listed { pid, started }, may_emit))
}

/// Whether the session still works on its statement. `idle`: it has answered, and the answer is lost.
fn is_at_it(conn: &mut Conn, Listed { pid, started }: Listed) -> Result<bool, DbError> {
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
