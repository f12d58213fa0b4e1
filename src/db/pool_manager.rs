//! Opens the pool's connections, and decides which of them the pool discards.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, R2D2Connection};

use super::DbError;
use super::connector::{Connector, Session};

/// A connection of the pool.
pub(super) struct PooledSession {
    pub session: Session,
    /// Whether the connection was found to be lost.
    pub lost: bool,
    pub opened: Instant,
}

/// Opens connections for the pool, and discards those that were lost.
pub(super) struct Manager {
    pub connector: Connector,
}

impl ManageConnection for Manager {
    type Connection = PooledSession;
    type Error = DbError;

    fn connect(&self) -> Result<PooledSession, DbError> {
        let session = self.connector.connect()?;
        Ok(PooledSession { session, lost: false, opened: Instant::now() })
    }

    fn is_valid(&self, pooled: &mut PooledSession) -> Result<(), DbError> {
        Ok(pooled.session.conn.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, pooled: &mut PooledSession) -> bool {
        // After a panic a transaction may still be open. The next statements on this connection would be part of it, and
        // their COMMIT would not commit.
        pooled.lost || std::thread::panicking() || pooled.session.conn.is_broken()
    }
}
