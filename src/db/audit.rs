//! Do the books balance? One statement, so that all of it is seen at the same moment.

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;

use super::{Conn, DbError};

/// A difference between the books and the rows.
#[derive(Debug, QueryableByName, Serialize)]
pub struct Difference {
    #[diesel(sql_type = Text)]
    pub org_id: String,
    #[diesel(sql_type = Text)]
    pub subject: String,
    #[diesel(sql_type = Text)]
    pub problem: String,
}

/// All differences; none: every organization's books balance.
pub fn differences(conn: &mut Conn) -> Result<Vec<Difference>, DbError> {
    Ok(diesel::sql_query(include_str!("audit.sql")).load(conn)?)
}
