//! Statements that are parsed and planned once per connection.
//!
//! Diesel keeps prepared statements only of queries of whose text it knows that there are few variants: not of `UPDATE`, nor
//! of an `INSERT` of several rows, nor of `sql_query`. The hot statements here have one constant text each, however many
//! rows they are given (by arrays and `unnest`), so they can be kept.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;

use super::Conn;

/// A constant text with values for its `$*`, which becomes `$1, $2, ...`.
pub(super) struct Prepared<B> {
    sql: &'static str,
    binds: B,
}

/// `binds`: a tuple of values with their types (`IntoSql`); tuples in it are taken as their members.
pub(super) fn prepared<B>(sql: &'static str, binds: B) -> Prepared<B> {
    Prepared { sql, binds }
}

impl<B: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (head, tail) = self.sql.split_once("$*").unwrap_or((self.sql, ""));
        out.push_sql(head);
        self.binds.walk_ast(out.reborrow())?;
        out.push_sql(tail);
        Ok(())
    }
}

// Without a static id diesel keeps it by its text.
impl<B> QueryId for Prepared<B> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B> Query for Prepared<B> {
    type SqlType = Untyped;
}

impl<B> RunQueryDsl<Conn> for Prepared<B> {}

/// One value of each row, for an array.
pub(super) fn column<'a, T, U>(rows: &'a [T], value: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}
