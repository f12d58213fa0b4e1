//! Checks that the totals equal the sums of the rows. The check is one statement, so it sees one moment.

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use super::{Conn, DbError};

/// A difference between the totals and the rows.
#[derive(Debug, QueryableByName, Serialize)]
pub struct Imbalance {
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = Text)]
    pub problem: String,
}

/// Returns all differences between the totals and the rows.
pub fn imbalances(conn: &mut Conn) -> Result<Vec<Imbalance>, DbError> {
    Ok(diesel::sql_query(include_str!("audit.sql")).load(conn)?)
}
