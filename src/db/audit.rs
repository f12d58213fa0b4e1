//! Checks that the totals equal the sums of the rows, and the facts about systems their rows. The check is one statement, so it sees
//! one moment.

use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use super::{Conn, DbError};

/// A difference between the totals, or the facts about a system, and the rows.
#[derive(Debug, QueryableByName, Serialize)]
pub struct Imbalance {
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = Text)]
    pub problem: String,
}

/// Finds all differences between totals, facts and rows. They are given to `found` one by one, while Postgres sends them.
pub fn imbalances(conn: &mut Conn, mut found: impl FnMut(Imbalance)) -> Result<(), DbError> {
    let query = diesel::sql_query(include_str!("audit.sql"));
    for imbalance in query.load_iter::<Imbalance, PgRowByRowLoadingMode>(conn)? {
        found(imbalance?);
    }
    Ok(())
}
