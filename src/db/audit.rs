//! Whether the totals balance. One statement, so that everything is seen as it was at one moment.

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use super::{Conn, DbError};

/// A place where the totals and the rows do not balance.
#[derive(Debug, QueryableByName, Serialize)]
pub struct Imbalance {
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = Text)]
    pub problem: String,
}

/// Returns all places where the totals and the rows do not balance.
pub fn imbalances(conn: &mut Conn) -> Result<Vec<Imbalance>, DbError> {
    Ok(diesel::sql_query(include_str!("audit.sql")).load(conn)?)
}
